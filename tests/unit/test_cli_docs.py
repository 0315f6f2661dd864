"""docs/cli.md says what the command line says."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import click
import pytest
from click.testing import CliRunner

from zbuild.cli.main import COMMANDS, zbuild
from zbuild.events import types

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


GROUPS = {"cache": ("ls", "du", "prune"), "manifest": ("create", "add", "push", "inspect")}


def words(text: str) -> list[str]:
    # click's versions wrap lines and group defaults a little differently; the words are what is promised
    return text.split()


@pytest.mark.parametrize("name", [*COMMANDS, *(f"{group} {name}" for group, names in GROUPS.items() for name in names)])
def test_each_command_is_shown_as_it_explains_itself(name: str) -> None:
    found = re.search(rf"^###? zbuild {name}\n\n```text\n(.*?)\n```\n", TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None
    shown = CliRunner().invoke(zbuild, [*name.split(), "--help"], prog_name="zbuild", terminal_width=100).output
    assert words(found[1]) == words(shown)


def test_every_option_has_a_help_text() -> None:
    context = click.Context(zbuild)
    commands = {name: zbuild.get_command(context, name) for name in COMMANDS}
    for name, members in GROUPS.items():
        group = commands[name]
        assert isinstance(group, click.Group)
        assert tuple(group.commands) == members
        commands |= {f"{name} {member}": command for member, command in group.commands.items()}
    for name, command in commands.items():
        assert command is not None
        options = [param for param in command.params if isinstance(param, click.Option)]
        assert all(option.help for option in options), name


@pytest.mark.parametrize("event", get_args(types.Event), ids=lambda event: event.__name__)
def test_every_event_is_told_with_its_fields(event: type) -> None:
    (row,) = re.findall(rf"^\| `{event.__name__}` \| (.*) \|$", TEXT, re.MULTILINE)
    plain = re.sub(r"\([^)]*\)", "", row)
    assert re.findall(r"`(\w+)`", plain) == [field.name for field in fields(event)]
