#!/bin/sh
# Builds the image algobrain-executor, tagged with the commit: beside the handbook's three, whose runbooks it runs.
exec node "$(dirname "$0")/../../bin/algobrain.js" infra build-image --service executor "$@"
