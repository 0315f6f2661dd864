from __future__ import annotations

import json
from pathlib import Path

from support.stand_in import StandIn

from zbuild.api.options import ImageListing
from zbuild.cli.explain import explain_json, explain_text
from zbuild.cli.list import list_text
from zbuild.cli.main import run
from zbuild.cli.plan import plan_json, plan_text
from zbuild.cli.session import Session
from zbuild.plan.types import Change, Plan, PlannedStage, StageExplanation

STAGES = (
    PlannedStage("base", "cached", "up to date", "base", "0", "k0", 3.0),
    PlannedStage("api/builder", "run", "file src/main.c changed", "api", "builder", "k1", 61.0, ("base",), 5, 3),
    PlannedStage("tool", "run", "never built", "tool", "0", "k2"),
    PlannedStage("api", "maybe", "copies from api/builder", "api", "1", "", 0.5, ("base", "api/builder")),
)
PLAN = Plan(("api", "tool"), STAGES, "fake")


def test_plan_as_text() -> None:
    assert plan_text(PLAN).split("\n") == [
        "ACTION  STAGE              TIME  REASON",
        "cached  base                     up to date",
        "run     api/builder  1 min 01 s  file src/main.c changed (3 of 5 instructions from a checkpoint)",
        "run     tool                     never built",
        "maybe   api              0.50 s  copies from api/builder",
        "",
        "4 stages: 2 to run, 1 perhaps, 1 cached; about 1 min 01 s of work, 1 never timed",
    ]


def test_plan_of_nothing() -> None:
    assert plan_text(Plan((), ())).endswith("\nno stages")


def test_plan_with_nothing_to_do() -> None:
    assert plan_text(Plan(("base",), STAGES[:1])).endswith("\n1 stage: 1 cached; nothing must run")


def test_plan_as_json() -> None:
    told = json.loads(plan_json(PLAN))
    assert (told["targets"], told["backend"]) == (["api", "tool"], "fake")
    assert told["stages"][1] == {
        "name": "api/builder",
        "image": "api",
        "stage": "builder",
        "platform": "",
        "action": "run",
        "reason": "file src/main.c changed",
        "key": "k1",
        "seconds": 61.0,
        "depends": ["base"],
        "steps": 5,
        "done": 3,
    }
    assert told["stages"][2]["seconds"] is None


EXPLAINED = (
    StageExplanation("base", "cached", "up to date"),
    StageExplanation(
        "api/builder",
        "run",
        "2 inputs changed",
        (
            Change("COPY src /src", "file src/main.c", "1a2b", "3c4d"),
            Change("COPY src /src", "file src/new.c", "", "5e6f"),
            Change("RUN make <<EOF\nall\nEOF", "ARG VERSION", "1", "\x1b[2J2"),
        ),
        2,
        1,
    ),
)


def test_explain_as_text_names_each_instruction_once() -> None:
    assert explain_text(EXPLAINED).split("\n") == [
        "base: cached: up to date",
        "api/builder: run: 2 inputs changed (1 of 2 instructions from a checkpoint)",
        "  COPY src /src",
        "    file src/main.c: 1a2b -> 3c4d",
        "    file src/new.c: (none) -> 5e6f",
        "  RUN make <<EOF ...",
        "    ARG VERSION: 1 -> 2",
    ]


def test_explain_as_json_keeps_all_there_is() -> None:
    told = json.loads(explain_json("api", EXPLAINED))
    assert told["image"] == "api"
    assert told["stages"][0] == {
        "name": "base",
        "platform": "",
        "action": "cached",
        "reason": "up to date",
        "steps": 0,
        "done": 0,
        "changes": [],
    }
    assert told["stages"][1]["changes"][1] == {
        "instruction": "COPY src /src",
        "what": "file src/new.c",
        "old": "",
        "new": "5e6f",
    }


LISTED = (
    ImageListing("api", "services/api", "Dockerfile", ("shop/api:1", "shop/api:latest"), ("default",)),
    ImageListing("base", ".", "", ()),
)


def test_list_as_text() -> None:
    assert list_text(LISTED).split("\n") == [
        "IMAGE  CONTEXT       FILE        TAGS                        GROUPS",
        "api    services/api  Dockerfile  shop/api:1 shop/api:latest  default",
        "base   .             (inline)",
    ]


def test_list_as_json(capsys) -> None:
    workspace = StandIn(Path(), listed=LISTED)
    assert run(["list", "--format", "json"], Session(find=workspace.find)) == 0
    assert json.loads(capsys.readouterr().out)[1] == {
        "name": "base",
        "context": ".",
        "file": "",
        "tags": [],
        "groups": [],
        "platforms": [],
    }


def test_graph_is_drawn_by_the_graph(capsys) -> None:
    assert run(["graph", "--format", "json"], Session(find=StandIn(Path()).find)) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)
