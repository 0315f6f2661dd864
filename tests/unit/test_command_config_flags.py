"""Which flags of `buildah config` are given; what they come to is tried on real images in tests/contract."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zbuild.backend.buildah.config_flags import config_flags, lost_settings
from zbuild.model.image_config import HealthConfig, ImageConfig

BASE = ImageConfig(env=(("A", "1"), ("B", "2"), ("C", "3")), cmd=("sh",), entrypoint=("e",), labels=(("l", "1"),))


def test_no_difference_needs_no_call() -> None:
    assert config_flags(BASE, BASE, "docker") == ()


@pytest.mark.parametrize(
    ("env", "values"),
    [
        ((("A", "1"), ("B", "9"), ("C", "3")), ("B=9", "C=3")),  # set again, so that the order stays
        ((("A", "1"), ("C", "3")), ("B-",)),
        ((*BASE.env, ("D", "$x")), ("D=$$x",)),
        ((("C", "3"), ("A", "1")), ("B-", "C=3", "A=1")),
        ((), ("A-", "B-", "C-")),
    ],
)
def test_env(env: tuple[tuple[str, str], ...], values: tuple[str, ...]) -> None:
    flags = config_flags(BASE, replace(BASE, env=env), "oci")
    assert flags[::2] == ("--env",) * len(values)
    assert flags[1::2] == values


def test_removal_of_a_command_sets_both() -> None:
    flags = config_flags(BASE, replace(BASE, cmd=None, entrypoint=("é",)), "oci")
    assert flags == ("--entrypoint", '["é"]', "--cmd", "")


def test_docker_only_settings_are_not_asked_of_oci() -> None:
    wanted = replace(BASE, health=HealthConfig(("NONE",)), shell=("sh",), onbuild=("RUN a, b",))  # noqa: S604
    assert config_flags(BASE, wanted, "oci") == ()
    flags = config_flags(BASE, wanted, "docker")
    assert flags[-2:] == ("--onbuild", '"RUN a, b"')
    document = config_flags(BASE, replace(BASE, onbuild=("RUN <<EOF\n1\nEOF",)), "docker")
    assert document[-1] == '"RUN <<EOF\n1\nEOF"'
    assert lost_settings(wanted, "oci") == ("HEALTHCHECK", "SHELL", "ONBUILD")
    assert lost_settings(wanted, "docker") == ()
    start = replace(BASE, health=HealthConfig(("CMD", "x"), start_interval=5))
    assert lost_settings(start, "docker") == ("HEALTHCHECK --start-interval",)


def test_annotations() -> None:
    assert config_flags(BASE, BASE, "oci", (("a", "b,c=d"),)) == ("--annotation", "a=b,c=d")
