#!/bin/sh
# Makes an archive of a Debian 12 root file system, once.
#
# usage: debian_root.sh ARCHIVE PACKAGE...
set -eu
archive=$1
shift
[ -s "$archive" ] && exit 0

sources() {
    # The machine's own sources, so that a mirror it uses is used here too.
    for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
        if [ -s "$file" ]; then
            echo "$file"
            return
        fi
    done
}

echo "making a Debian root file system with $* (once)"
packages=$(echo "$*" | tr ' ' ',')
part="$archive.$$"
mkdir -p "$(dirname "$archive")"
# shellcheck disable=SC2046 # no word when there is no file
mmdebstrap --quiet --format=tar --variant=essential --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' bookworm "$part" $(sources)
mv "$part" "$archive"
