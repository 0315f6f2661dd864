"""Every field of a configuration reaches the image and comes back, and can be taken away again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support.lab import BASE_CONFIG

from zbuild.model.image_config import HealthConfig, ImageConfig

if TYPE_CHECKING:
    from support.lab import Lab

ODD = "a $HOME ${X} $$ \"b\" 'c' \\d , = ; # ü\nnew line\ttab"
FULL = ImageConfig(  # noqa: S604 - SHELL is no shell here
    env=(("PATH", "/bin"), ("ODD", ODD), ("EMPTY", "")),
    labels=(("odd", ODD), ("org.example.empty", "")),
    workdir="/srv/a b",
    user="web:staff",
    cmd=("serve", "--odd", ODD, ""),
    entrypoint=("/bin/sh", "-c", ODD),
    shell=("/bin/sh", "-e", "-c x"),
    ports=("53/udp", "8080/tcp"),
    volumes=("/data", "/with space"),
    stop_signal="SIGINT",
    health=HealthConfig(("CMD-SHELL", 'wget "$X" || exit 1; echo \\n'), 5 * 10**9, 10**8, 3 * 10**9, 0, 4),
    author="A, <b@example>",
    onbuild=("RUN a, b", 'COPY "c" /d'),
)


def test_every_field_round_trips(lab: Lab) -> None:
    result = lab.build("full", config=FULL, format="docker")
    assert lab.config(result.image_id) == FULL


@pytest.mark.parametrize(
    "change",
    [
        {"env": (("PATH", "/sbin"), ("ODD", ODD), ("EMPTY", ""))},
        {"env": (("EMPTY", "no"), ("PATH", "/bin"))},
        {"labels": ()},
        {"labels": (("odd", "even"), ("other", "x"))},
        {"workdir": "/", "user": "", "stop_signal": "", "author": ""},
        {"cmd": None},
        {"entrypoint": None},
        {"cmd": None, "entrypoint": ("other",)},
        {"shell": ()},
        {"ports": ("80/tcp",), "volumes": ("/data",)},
        {"ports": (), "volumes": ()},
        {"health": None},
        {"health": HealthConfig(("NONE",))},
        {"health": HealthConfig(("CMD", "check", "a b"))},
    ],
    ids="-".join,
)
def test_every_field_can_be_changed(lab: Lab, change: dict[str, object]) -> None:
    first = replace(FULL, onbuild=())
    full = lab.build("full", config=first, format="docker")
    base = lab.backend.resolve(full.image_id, lab.order("x").platform, "never")
    wanted = replace(first, **change)
    result = lab.build("changed", base=base, config=wanted, format="docker")
    assert lab.config(result.image_id) == wanted


def test_configuration_without_a_change_is_kept(lab: Lab) -> None:
    result = lab.build("plain")
    assert lab.config(result.image_id) == BASE_CONFIG
