"""Records made up for tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zbuild.state.record import Record


def record(key: str, **changes: object) -> Record:
    made = Record(
        key=key,
        static_key=f"static-{key}",
        own_key=f"own-{key}",
        stage="api/build",
        backend="buildah",
        platform="linux/amd64",
        image_id=f"id-{key}",
        digest="sha256:1",
        diff_ids=("sha256:2", "sha256:3"),
        config='{"env":[]}',
        size=2**40,
        layer_count=2,
        seconds=1.5,
        step_seconds=(0.5, 1.0),
        inputs=(("RUN make", "ARG VERSION", "1"), ("COPY . .", "file na\udcffme", "abc")),
        exports=(("s1", "d1"), ("s2", "d2")),
        created=1000.25,
        run_id="run-1",
        content="c1",
    )
    return replace(made, **changes)  # type: ignore[arg-type] # each test names fields of Record


def no_notice(message: str) -> None:
    pytest.fail(message)
