#!/bin/sh
# install_client.sh FROM TO: part of `meson install`.  Copies the bundles of
# the official client, where ./dev has prepared them.
set -eu

from=$1
to=${DESTDIR:-}$2

if [ ! -f "$from/VERSION" ]; then
    echo "No client bundles in $from, none installed"
    exit 0
fi
mkdir -p "$to"
install -m 644 "$from"/* "$to"
echo "Installed the client bundles to $to"
