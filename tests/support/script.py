"""A build as its events: one of everything, for the displays to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.events.types import (
    BuildFailed,
    BuildFinished,
    BuildStarted,
    ImageTagged,
    InstructionFinished,
    InstructionStarted,
    Notice,
    Output,
    StageFailed,
    StageFinished,
    StageRetried,
    StageSkipped,
    StageStarted,
)

if TYPE_CHECKING:
    from zbuild.events.types import (
        Event,
    )

_BEGIN: tuple[Event, ...] = (
    BuildStarted(("api", "web", "shop"), run=3, cached=2, maybe=2, backend="fake"),
    StageFinished("base", "cached", 0.0, "up to date", "sha256:0"),
    StageFinished("lib", "cached", 0.0, "up to date", "sha256:1"),
    Notice("removed a container, left by a run that was cut off"),
    StageStarted("api/builder", "file src/main.c changed", 2),
    StageStarted("web", "never built", 1),
    InstructionStarted("api/builder", 1, "COPY src /src"),
    InstructionFinished("api/builder", 1, 0.02),
    InstructionStarted("web", 1, "RUN npm ci && \\\n    npm run build"),
    InstructionStarted("api/builder", 2, "RUN make"),
    Output("api/builder", "cc -c main.c"),
    Output("web", "10 %\r50 %\r\x1b[32madded\x1b[0m 7 packages\x07", "stderr"),
    StageRetried("web", 1, 2, "exit code 1"),
    Output("api/builder", "\x1b[2J\x1b[1;1Hcc -o main\tmain.o"),
    InstructionFinished("api/builder", 2, 61.5),
    StageFinished("api/builder", "run", 62.25, "file src/main.c changed", "sha256:2"),
    StageFinished("api", "cached", 0.01, "what it reads came out equal (early cutoff)", "sha256:3"),
    ImageTagged("api", ("localhost/shop/api:1", "localhost/shop/api:latest")),
)

SUCCESS: tuple[Event, ...] = (
    *_BEGIN,
    StageFinished("web", "run", 4.0, "never built", "sha256:4"),
    StageFinished("shop", "pulled", 0.5, "found in the remote cache", "sha256:5"),
    BuildFinished(63.0, run=3, cached=3),
)

FAILURE: tuple[Event, ...] = (
    *_BEGIN,
    Notice("the store is nearly full", "warning"),
    StageFailed(
        "web",
        "run-failed",
        "RUN npm ci: exit code 1",
        ("npm error \x1b[31mmissing\x1b[0m lock", "", "npm error see the log"),
        "/ws/.zbuild/logs/web.log",
        "web/Dockerfile:4:1",
        "write a package-lock.json",
    ),
    StageSkipped("shop", "web failed"),
    BuildFailed(63.0, failed=("web",), skipped=("shop",)),
)

NOTHING: tuple[Event, ...] = (
    BuildStarted(("base", "lib"), run=0, cached=2, backend="fake"),
    StageFinished("base", "cached", 0.0, "up to date", "sha256:0"),
    StageFinished("lib", "cached", 0.0, "up to date", "sha256:1"),
    BuildFinished(0.07, run=0, cached=2),
)
