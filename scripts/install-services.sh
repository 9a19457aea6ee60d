#!/usr/bin/env bash
# Installs what strict mode tests against and this machine lacks, where Debian's packages can be installed.
# Never fails: what is still missing then is named here, and strict mode fails on the tests that it skips.
PATH="$PATH:/usr/sbin"

# A server with pg_dump and pg_restore of its version: npm's brings neither, and another version's dump does not fit.
has_postgres() {
  for folder in /usr/lib/postgresql/*/bin; do
    if [ -x "$folder/initdb" ] && [ -x "$folder/pg_restore" ]; then return 0; fi
  done
  return 1
}
is_there() {
  if [ "$1" = postgresql ]; then has_postgres; else command -v "$1" >/dev/null 2>&1; fi
}

missing=()
for program in redis-server pgbouncer postgresql zsh fish; do
  is_there "$program" || missing+=("$program")
done
if [ "${#missing[@]}" -eq 0 ]; then exit 0; fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq)
install() {
  "${apt[@]}" -y --no-install-recommends install "$@" </dev/null ||
    { "${apt[@]}" update </dev/null && "${apt[@]}" -y --no-install-recommends install "$@" </dev/null; }
}
if command -v apt-get >/dev/null 2>&1; then
  if ! has_postgres && install postgresql-common; then
    # The tests start servers of their own: none is wanted beside them.
    "${as_root[@]}" sed -i 's/^#* *create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
  fi
  install "${missing[@]}"
fi

for program in "${missing[@]}"; do
  is_there "$program" || echo "missing: $program (tests that need it are skipped, which strict mode refuses)"
done
exit 0
