#!/bin/sh
# Builds zbuild's own image with zbuild, on a Debian root file system made here, and runs it.
#
# The root file system is made once and kept in .cache/; the wheels of what zbuild needs come through pip as it is set up
# here, so that the build itself needs no network.
set -eu
cd "$(dirname "$0")/.."
base=localhost/zbuild-base:bookworm
archive=.cache/bookworm.tar

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
    sh scripts/debian_root.sh "$archive" python3
    import_base
fi

.venv/bin/zbuild build --set "base=$base" zbuild

container=$(buildah from --pull-never localhost/zbuild:latest)
trap 'buildah rm "$container" >/dev/null' EXIT
echo "image: says '$(buildah run --isolation chroot "$container" zbuild --version)'"
