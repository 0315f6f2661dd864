"""Windows images on Linux: files can be copied into them, commands are refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support.lab import run

from zbuild.base.errors import StageError
from zbuild.base.platform import Platform

if TYPE_CHECKING:
    from support.lab import Lab

WINDOWS = Platform("windows", "amd64")


def test_commands_are_refused_before_anything_is_done(buildah_lab: Lab) -> None:
    step = replace(run("cmd", "/S", "/C", "dir"), text="RUN dir")
    order = replace(buildah_lab.order("wr", step, base=None), platform=WINDOWS)
    with pytest.raises(StageError, match="'RUN dir': commands of Windows images cannot run on this machine"):
        buildah_lab.backend.build(order, buildah_lab.events.append)
    assert buildah_lab.events == []


def test_files_are_copied(buildah_lab: Lab) -> None:
    buildah_lab.put("app.exe", "MZ")
    order = replace(buildah_lab.order("wc", buildah_lab.copy("app.exe", dest="/app/"), base=None), platform=WINDOWS)
    made = buildah_lab.backend.build(order, buildah_lab.events.append)
    assert buildah_lab.read(made.image_id, "app/app.exe") == "MZ"
