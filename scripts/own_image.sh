#!/bin/sh
# Builds zbuild's own image with zbuild, on a Debian root file system made here, and runs it.
#
# The root file system is made once and kept in .cache/; the wheels of what zbuild needs come through pip as it is set up
# here, so that the build itself needs no network.
set -eu
cd "$(dirname "$0")/.."
base=localhost/zbuild-base:bookworm
archive=.cache/bookworm.tar

sources() {
    # The machine's own sources, so that a mirror it uses is used here too.
    for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
        if [ -s "$file" ]; then
            echo "$file"
            return
        fi
    done
}

make_archive() {
    echo "image: making a Debian root file system with python3 (once)"
    mkdir -p .cache
    # shellcheck disable=SC2046 # no word when there is no file
    mmdebstrap --quiet --format=tar --variant=essential --include=python3 \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' bookworm "$archive.part" $(sources)
    mv "$archive.part" "$archive"
}

import_base() {
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$archive" / >/dev/null
    buildah config --env PATH=/usr/local/bin:/usr/bin:/bin "$container"
    buildah commit --quiet --rm "$container" "$base" >/dev/null
}

rm -rf dist/wheels
.venv/bin/python -m pip download -qq --disable-pip-version-check --dest dist/wheels \
    --only-binary :all: --python-version 3.11 pip dist/zbuild-*.whl
if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
    [ -s "$archive" ] || make_archive
    import_base
fi

.venv/bin/zbuild build --set "base=$base" zbuild

container=$(buildah from --pull-never localhost/zbuild:latest)
trap 'buildah rm "$container" >/dev/null' EXIT
echo "image: says '$(buildah run --isolation chroot "$container" zbuild --version)'"
