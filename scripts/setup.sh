#!/bin/sh
# Makes a fresh clone ready to build, test and lint: system packages, .venv, the example's root file system.
#
# usage: setup.sh [bench]      (bench: also what the benchmarks' optional peer needs)
#
# Safe to run again: what is there stays. The Makefile's stamp saves even that.
set -eu
cd "$(dirname "$0")/.."

find_python() {
    # A venv made from the interpreter itself, not from a shim on PATH, starts faster.
    for name in python3 python3.11 python3.12 python3.13 python3.14 /usr/bin/python3; do
        path=$("$name" -c 'import sys, ensurepip; print(sys.executable if sys.version_info >= (3, 11) else "")' \
            2>/dev/null) || continue
        if [ -n "$path" ]; then
            echo "$path"
            return
        fi
    done
    echo "setup: no Python of version 3.11 or later with its venv module; install python3 and python3-venv" >&2
    exit 1
}

sh scripts/packages.sh "${1:-}"

if ! .venv/bin/python -c '' 2>/dev/null; then
    python=$(find_python)
    echo "setup: making .venv with $python"
    "$python" -m venv --clear .venv
fi

echo "setup: installing zbuild and its development tools into .venv"
# Older pips have no --group, and write a console script that imports `re`: 5 ms of each start.
.venv/bin/python -m pip install -qq --disable-pip-version-check --upgrade 'pip>=25.1'
.venv/bin/python -m pip install -qq --disable-pip-version-check --editable . --group dev
# Where PYTHONDONTWRITEBYTECODE is set, an editable install would be compiled anew at each start: 70 ms.
.venv/bin/python -m compileall -q zbuild

sh scripts/shop_rootfs.sh
