#!/bin/sh
# The handbook's name for it: applies pending migrations; --dry-run only names them (HB-cli-01, -02).
exec node "$(dirname "$0")/../../bin/algobrain.js" db migrate "$@"
