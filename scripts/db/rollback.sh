#!/bin/sh
# The handbook's name for it: undoes the newest migration, by name (HB-cli-03).
exec node "$(dirname "$0")/../../bin/algobrain.js" db rollback "$@"
