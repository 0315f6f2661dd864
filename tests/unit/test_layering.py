"""When a checkpoint pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from zbuild.backend.layering import Checkpointing, count_written
from zbuild.backend.protocol import Layering, StageBuild
from zbuild.base.platform import parse_platform
from zbuild.model.image_config import ImageConfig
from zbuild.model.steps import ContextOrigin, CopyStep, RunStep, Selection

if TYPE_CHECKING:
    from pathlib import Path

RUN = RunStep(("x",))
COPY = CopyStep(ContextOrigin("/c"), Selection(("f",)), "/")
KEYS = ("1", "2", "3", "4")


def due(*seconds: float, mode: str = "auto", likely: tuple[int, ...] = (), after: object = RUN, writes: float = 0.0):
    """Return after which steps a checkpoint is made; `after` is the last step, `writes` what each does, in bytes."""
    steps = (*[RUN] * (len(seconds) - 1), after)
    layering = Layering(mode, KEYS[: len(steps)], price=1.0, per_byte=1e-8, likely=likely)
    order = StageBuild("s", "k", parse_platform("linux/amd64"), None, steps, ImageConfig(), layering=layering)
    checkpointing = Checkpointing(order)
    return [
        done
        for done, each in enumerate(seconds, 1)
        if checkpointing.is_due(done, each, lambda limit: min(writes, limit))
    ]


@pytest.mark.parametrize(
    ("seconds", "made"),
    [
        ((9.9, 0.05, 0.0), []),
        ((10.0, 0.0, 0.0), [1]),
        ((5.0, 5.0, 0.0), [2]),
        ((5.0, 5.0, 9.0, 0.0), [2]),
        ((10.0, 10.0, 0.0), [1, 2]),
        ((99.0,), []),
        ((1.0, 99.0), []),
    ],
)
def test_work_is_kept_once_it_took_ten_times_the_price(seconds: tuple[float, ...], made: list[int]) -> None:
    assert due(*seconds) == made


def test_before_files_of_the_context_four_times_are_enough() -> None:
    assert due(4.0, 0.0, after=COPY) == [1]
    assert due(3.0, 0.0, after=COPY) == []
    assert due(4.0, 0.0, after=CopyStep(ContextOrigin("/c"), Selection(()), "/", inline=(("f", "x"),))) == []


def test_where_a_build_is_likely_to_begin_once_is_enough() -> None:
    assert due(0.5, 0.6, 0.0, 0.0, likely=(2,)) == [2]
    assert due(0.4, 0.5, 0.0, 0.0, likely=(2,)) == []


def test_what_was_written_counts_too() -> None:
    assert due(1.0, 0.0, writes=9.5e8) == [1]
    assert due(1.0, 0.0, writes=8.5e8) == []


def test_what_is_quick_is_not_even_looked_at() -> None:
    assert due(0.1, 0.0, writes=1e12) == []


def test_all_and_none() -> None:
    assert due(0.0, 0.0, 0.0, mode="all") == [1, 2]
    assert due(99.0, 99.0, 0.0, mode="none") == []


def test_files_and_bytes_are_counted(tmp_path: Path) -> None:
    assert count_written(bytes(tmp_path), 1e9) == 0
    (tmp_path / "a").mkdir()
    (tmp_path / "a/link").symlink_to("/etc/passwd")
    few = count_written(bytes(tmp_path), 1e9)
    with (tmp_path / "a/large").open("wb") as file:
        file.truncate(100_000_000)
    assert 0 < few < 100_000
    assert 100_000_000 < count_written(bytes(tmp_path), 1e9) < 100_100_000


def test_counting_ends_at_its_limit(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    assert count_written(bytes(tmp_path), 1.0) < count_written(bytes(tmp_path), 1e9)
