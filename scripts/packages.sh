#!/bin/sh
# Installs the Debian packages that zbuild's development needs and that are missing; says so when it cannot.
#
# usage: packages.sh [bench]
#
# Each line below: a command that proves the package is there, and the package. `bench` adds BuildKit's daemon, the
# optional peer of the benchmarks.
set -eu

wanted='python3 python3
git git
buildah buildah
runc runc
docker-registry docker-registry
skopeo skopeo
tmux tmux
pgrep procps
mmdebstrap mmdebstrap'
if [ "${1:-}" = bench ]; then
    wanted="$wanted
dockerd docker.io"
fi

PATH="$PATH:/usr/sbin:/sbin"
missing=$(echo "$wanted" | while read -r command package; do
    command -v "$command" >/dev/null 2>&1 || echo "$package"
done)
# A dynamic busybox cannot start in an image made from scratch; ensurepip is what `python3 -m venv` needs.
if ! dpkg -s busybox-static >/dev/null 2>&1; then missing="$missing busybox-static"; fi
if ! python3 -c 'import ensurepip' >/dev/null 2>&1; then missing="$missing python3-venv"; fi
# shellcheck disable=SC2086 # a list of words
missing=$(echo $missing | tr ' ' '\n' | sort -u | tr '\n' ' ')
[ -n "${missing% }" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: needs Debian 12 or a relative of it (no apt-get here); install by hand what these hold: $missing" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "setup: needs root to install packages; run: sudo apt-get install --no-install-recommends $missing" >&2
    exit 1
fi
echo "setup: installing $missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null
