#!/usr/bin/env bash
# Adds what changed alert rules would have done to a report of policies, for the comment on a pull request.
# usage: impact-section.sh BASE PROPOSED REPORT     folders of policies before and after; the Markdown that it is added to
# URL and TOKEN (a viewer's) say where the recorded samples are; without a token there is nothing to ask, and no section.
set -euo pipefail

if [ "$#" -ne 3 ]; then echo "usage: impact-section.sh BASE PROPOSED REPORT" >&2; exit 2; fi
base=$1 proposed=$2 report=$3
if [ -z "${TOKEN:-}" ]; then echo "no token: the report says nothing of the impact"; exit 0; fi

umask 077
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '%s' "$TOKEN" >"$scratch/token"
"$(dirname "$0")/../bin/algobrain.js" policy impact "$base" --dir "$proposed" \
  --history "api:$URL" --token-file "$scratch/token" --format markdown --out "$scratch/impact.md"
{ echo; cat "$scratch/impact.md"; } >>"$report"
