"""`zbuild plan`: says what a build would do, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from zbuild.base.platform import host_platform
from zbuild.base.text import checkpoint_text, duration_text, plural
from zbuild.cli.notices import tell_notices
from zbuild.cli.options import PLAN_OPTIONS, examples, format_option, with_build_options, with_workspace
from zbuild.report.clean import one_line, printable
from zbuild.report.table import aligned

if TYPE_CHECKING:
    from zbuild.api.options import BuildOptions
    from zbuild.api.workspace import Workspace
    from zbuild.plan.types import Plan, PlanAction, PlannedStage

_NAMED: tuple[tuple[PlanAction, str], ...] = (
    ("run", "to run"),
    ("maybe", "perhaps"),
    ("pulled", "to pull"),
    ("cached", "cached"),
)


@click.command(
    "plan",
    epilog=examples(
        "zbuild plan                  what a bare 'zbuild build' would do",
        "zbuild plan api              only what the image api needs",
        "zbuild plan --format json    for programs",
    ),
)
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@with_build_options(*PLAN_OPTIONS)
@format_option("text", "json")
@with_workspace
def command(workspace: Workspace, targets: tuple[str, ...], options: BuildOptions, form: str) -> None:
    """Say what a build would do, and why.

    Nothing is built or pulled. A stage would 'run', is 'cached', is 'pulled' from a remote cache, or runs 'maybe':
    only if its base, or what it copies from a stage that runs, comes out different. Times are those of the last run.
    """
    tell_notices(workspace, targets, options)
    plan = workspace.plan(targets, options)
    click.echo(plan_json(plan) if form == "json" else plan_text(plan))


def plan_text(plan: Plan) -> str:
    """Return the plan as an aligned table with a line of totals."""
    rows = [("ACTION", "STAGE", "TIME", "REASON"), *(_row(stage) for stage in plan.stages)]
    return "\n".join([*aligned(rows, right={2}), "", _totals(plan)])


def plan_json(plan: Plan) -> str:
    """Return the plan as a JSON object: targets, backend, stages."""
    stages = [
        {
            "name": stage.id,
            "image": stage.image,
            "stage": stage.stage,
            "platform": stage.platform,
            "action": stage.action,
            "reason": stage.reason,
            "key": stage.key,
            "seconds": stage.seconds,
            "depends": stage.depends,
            "steps": stage.steps,
            "done": stage.done,
        }
        for stage in plan.stages
    ]
    return json.dumps({"targets": plan.targets, "backend": plan.backend, "stages": stages}, indent=2)


def _row(stage: PlannedStage) -> tuple[str, str, str, str]:
    seconds = "" if stage.seconds is None or stage.action == "cached" else duration_text(stage.seconds)
    name = shown_stage(stage.id, stage.platform)
    return stage.action, name, seconds, printable(one_line(stage.reason + checkpoint_text(stage.done, stage.steps)))


def shown_stage(name: str, platform: str) -> str:
    """Return a stage's name, with its platform where that is neither in the name nor this machine's."""
    told = platform in ("", str(host_platform())) or name.endswith(f"@{platform}")
    return name if told else f"{name} ({platform})"


def _totals(plan: Plan) -> str:
    counts = ", ".join(f"{plan.count(action)} {text}" for action, text in _NAMED if plan.count(action))
    return f"{plural(len(plan.stages), 'stage')}: {counts}{_work(plan)}" if counts else "no stages"


def _work(plan: Plan) -> str:
    times = [stage.seconds for stage in plan.stages if stage.action == "run"]
    if not times:
        return "; nothing must run"
    known = [seconds for seconds in times if seconds is not None]
    unknown = f"{len(times) - len(known)} never timed" if len(known) < len(times) else ""
    expected = f"about {duration_text(sum(known))} of work" if known else ""
    return "; " + ", ".join(part for part in (expected, unknown) if part)
