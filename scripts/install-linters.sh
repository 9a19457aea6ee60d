#!/usr/bin/env bash
# Installs the linters of workflows that npm does not have (scripts/linters.txt), into a private environment under
# node_modules, so that `npm ci` takes them away again. Never fails: what is still missing then is named here, its
# tests are skipped, and strict mode fails on them.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 0

list=scripts/linters.txt
venv=node_modules/.cache/linters
if [ -x "$venv/bin/zizmor" ] && cmp -s "$list" "$venv/$(basename "$list")"; then exit 0; fi

# Debian takes ensurepip out of Python: without its package there is a python3 that can make no environment.
has_python() { python3 -c 'import venv, ensurepip' >/dev/null 2>&1; }

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install python3 python3-venv)
if ! has_python && command -v apt-get >/dev/null 2>&1; then
  "${install[@]}" </dev/null ||
    { "${as_root[@]}" apt-get -qq update </dev/null && "${install[@]}" </dev/null; }
fi

mkdir -p "$(dirname "$venv")"
if has_python; then
  rm -rf "$venv"
  # Only what the list names, as it was when the list was written; no source that would have to be built.
  python3 -m venv "$venv" </dev/null &&
    timeout 300 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps \
      --only-binary :all: --require-hashes -r "$list" </dev/null &&
    cp "$list" "$venv/"
fi

"$venv/bin/zizmor" --version >/dev/null 2>&1 ||
  echo "missing: zizmor (tests that need it are skipped, which strict mode refuses)"
exit 0
