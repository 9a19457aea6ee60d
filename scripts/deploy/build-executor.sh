#!/bin/sh
# The handbook's name for it: builds the image algobrain-executor, tagged with the commit (HB-cli-07, X-20).
exec node "$(dirname "$0")/../../bin/algobrain.js" infra build-image --service executor "$@"
