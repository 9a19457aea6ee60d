#!/usr/bin/env bash
# Runs a command of the bin with `--token-file FILE` behind it: the token of the variable TOKEN, in a file that only this
# user may read and that is gone afterwards. Without a token the command runs as it stands.
# usage: with-token.sh COMMAND…
set -euo pipefail
bin="$(dirname "$0")/../bin/algobrain.js"
if [ -z "${TOKEN:-}" ]; then exec "$bin" "$@"; fi

umask 077
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '%s' "$TOKEN" >"$scratch/token"
unset TOKEN
"$bin" "$@" --token-file "$scratch/token" &
child=$!
# Whoever ends a step tells this process alone.
trap 'kill -INT "$child"' INT TERM
code=0
wait "$child" || code=$?
# A wait that a signal has ended is no end of the child.
while kill -0 "$child" 2>/dev/null; do
  code=0
  wait "$child" || code=$?
done
exit "$code"
