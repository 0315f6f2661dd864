"""Builds one stage by the runtime itself and by `buildah run`, and tells what came of it in comparable form."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.image_tree import describe_tree
from support.lab import run
from zbuild.base.errors import RegistryError, StageError
from zbuild.base.platform import host_platform
from zbuild.events.types import Output

if TYPE_CHECKING:
    from support.lab import Lab
    from zbuild.model.image_config import ImageConfig

WAYS = ("direct", "buildah")
_FULL = "localhost/lab/full:1"
# What is a container's own: its id, its name, its control group.
_OWN = re.compile(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b|zbuild-[0-9a-f]+-\d+-\d+|buildah-?[a-z]*\d{5,}")


@dataclass(frozen=True)
class Result:
    """What a way has made of a stage."""

    tree: dict[str, tuple[object, ...]]
    config: ImageConfig
    output: list[str]
    errors: list[str]


def shell(text: str, **fields: Any) -> Any:
    return run("/bin/sh", "-c", text, **fields)


def use_all_of_busybox(lab: Lab) -> None:
    """Give the lab a base with a link for every command of busybox; the first lab of a store makes it."""
    platform = host_platform()
    try:
        lab.base = lab.backend.resolve(_FULL, platform, "never")
    except RegistryError:
        lab.build("full", run("/bin/busybox", "--install", "-s", "/bin"), names=(_FULL,))
        lab.base = lab.backend.resolve(_FULL, platform, "never")


def build(lab: Lab, way: str, *steps: Any, **fields: Any) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZBUILD_RUN", way)
        lab.events.clear()
        image_id = lab.build(f"by-{way}", *steps, **fields).image_id
    root = Path(os.fsdecode(lab.backend._roots.root(image_id)))
    return Result(describe_tree(root), lab.config(image_id), _told(lab, "stdout"), _told(lab, "stderr"))


def build_both_ways(lab: Lab, *steps: Any, **fields: Any) -> Result:
    """Build a stage both ways, and return what both have made of it."""
    direct, other = (build(lab, way, *steps, **fields) for way in WAYS)
    assert direct == other
    return direct


def failure(lab: Lab, way: str, *steps: Any) -> tuple[str, int | None]:
    """Return the code and the exit code of a stage that fails."""
    with pytest.raises(StageError) as raised:
        build(lab, way, *steps)
    return raised.value.code, raised.value.returncode


def _told(lab: Lab, stream: str) -> list[str]:
    lines = [event.line for event in lab.events if isinstance(event, Output) and event.stream == stream]
    return [_OWN.sub("OWN", line) for line in lines]
