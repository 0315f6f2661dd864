"""`zbuild explain`: says which input of which instruction makes a stage run."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from zbuild.base.text import checkpoint_text
from zbuild.cli.notices import tell_notices
from zbuild.cli.options import PLAN_OPTIONS, examples, format_option, with_build_options, with_workspace
from zbuild.cli.plan import shown_stage
from zbuild.report.clean import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.api.options import BuildOptions
    from zbuild.api.workspace import Workspace
    from zbuild.plan.types import Change, StageExplanation


@click.command(
    "explain",
    epilog=examples(
        "zbuild explain api                  why api would be built again, or not",
        "zbuild explain api --format json    for programs",
    ),
)
@click.argument("image")
@with_build_options(*PLAN_OPTIONS)
@format_option("text", "json")
@with_workspace
def command(workspace: Workspace, image: str, options: BuildOptions, form: str) -> None:
    """Say why an image's stages would run, or would not.

    What each stage depends on is compared with the record of its last run: for every instruction that differs, the
    input that changed is named, with what it was and what it is.
    """
    tell_notices(workspace, [image], options)
    stages = workspace.explain(image, options)
    click.echo(explain_json(image, stages) if form == "json" else explain_text(stages))


def explain_text(stages: Sequence[StageExplanation]) -> str:
    """Return one block per stage: what will be done, why, and each change under its instruction."""
    lines: list[str] = []
    for stage in stages:
        reason = printable(one_line(stage.reason + checkpoint_text(stage.done, stage.steps)))
        lines.append(f"{shown_stage(stage.id, stage.platform)}: {stage.action}" + (f": {reason}" if reason else ""))
        lines += _change_lines(stage.changes)
    return "\n".join(lines)


def explain_json(image: str, stages: Sequence[StageExplanation]) -> str:
    """Return `{"image": NAME, "stages": [{name, platform, action, reason, steps, done, changes}]}`."""
    told = [
        {
            "name": stage.id,
            "platform": stage.platform,
            "action": stage.action,
            "reason": stage.reason,
            "steps": stage.steps,
            "done": stage.done,
            "changes": [asdict(change) for change in stage.changes],
        }
        for stage in stages
    ]
    return json.dumps({"image": image, "stages": told}, indent=2)


def _change_lines(changes: Sequence[Change]) -> list[str]:
    lines: list[str] = []
    instruction = ""
    for change in changes:
        if change.instruction != instruction:
            instruction = change.instruction
            lines.append(f"  {printable(one_line(instruction))}")
        lines.append(f"    {printable(change.what)}: {_shown(change.old)} -> {_shown(change.new)}")
    return lines


def _shown(value: str) -> str:
    return printable(one_line(value)) if value else "(none)"
