#!/bin/sh
# Puts the one file that examples/shop cannot carry in git, a static busybox, where its base image copies it from.
set -eu
cd "$(dirname "$0")/.."

busybox=$(command -v busybox) || {
    echo "shop: no busybox; install busybox-static" >&2
    exit 1
}
target=examples/shop/base/rootfs/bin/busybox
if ! cmp -s "$busybox" "$target"; then
    mkdir -p "$(dirname "$target")"
    cp "$busybox" "$target"
fi
