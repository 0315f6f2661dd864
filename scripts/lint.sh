#!/bin/sh
# Every check that needs no test run; all of them are tried, so that one run tells everything.
set -u
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=

check() {
    name=$1
    shift
    if output=$("$@" 2>&1); then
        echo "lint: $name ok"
    else
        echo "$output"
        failed="$failed $name"
    fi
}

fragments() {
    # A change without a word for the changelog is forgotten at the release.
    ls changelog.d/*.md >/dev/null && $bin/towncrier build --draft --version next
}

check ruff $bin/ruff check .
check format $bin/ruff format --check .
check mypy $bin/mypy
check imports $bin/lint-imports
check changelog fragments
[ -z "$failed" ] || {
    echo "lint: failed:$failed" >&2
    exit 1
}
