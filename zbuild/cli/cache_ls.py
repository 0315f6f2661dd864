"""`zbuild cache ls`: the results that are kept."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from zbuild.base.text import age_text, size_text
from zbuild.cli.notices import warn
from zbuild.cli.options import CACHE_OPTIONS, examples, format_option, with_build_options, with_workspace
from zbuild.report.table import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.api.cache import CachedStage
    from zbuild.api.options import BuildOptions
    from zbuild.api.workspace import Workspace

_SHOWN = 12  # digits of ids and keys
_HEAD = ("STAGE", "KEY", "IMAGE", "SIZE", "MADE", "USED", "STATE")


@click.command(
    "ls",
    epilog=examples(
        "zbuild cache ls                  the results, and which are still needed",
        "zbuild cache ls --format json    for programs",
    ),
)
@with_build_options(*CACHE_OPTIONS)
@format_option("text", "json")
@with_workspace
def command(workspace: Workspace, options: BuildOptions, form: str) -> None:
    """List the results of stages that are kept.

    A result is needed when the build files, as they are now, lead to it. Sizes are those of whole images: layers that
    images share count in each.
    """
    stages = workspace.cache(options, warn).stages()
    plain = form == "json"
    click.echo(json.dumps([asdict(stage) for stage in stages], indent=2) if plain else list_text(stages, time.time()))


def list_text(stages: Sequence[CachedStage], now: float) -> str:
    """Return the results as an aligned table; `now` is unix time."""
    rows = [
        (
            stage.stage,
            stage.key[:_SHOWN],
            stage.image_id[:_SHOWN],
            size_text(stage.size),
            age_text(now - stage.created),
            age_text(now - stage.used),
            _state(stage),
        )
        for stage in stages
    ]
    return "\n".join(aligned([_HEAD, *rows], right=(3,)))


def _state(stage: CachedStage) -> str:
    state = "needed" if stage.needed else "not needed"
    if not stage.present:
        return f"{state}, image gone"
    return f"{state}, tagged {' '.join(stage.tags)}" if stage.tags else state
