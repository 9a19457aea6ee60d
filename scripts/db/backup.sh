#!/bin/sh
# The handbook's name for it: makes a backup named for the environment and the time (HB-cli-04).
exec node "$(dirname "$0")/../../bin/algobrain.js" db backup "$@"
