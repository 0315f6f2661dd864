"""Finds the code blocks of a Markdown page, with what the comment above each says it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>(?:file|run|doctest)\b[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block; `mark` is `file: NAME`, `run`, `doctest`, or "" when there is no such comment above it."""

    language: str
    mark: str
    text: str
    line: int

    @property
    def file(self) -> str:
        return self.mark.partition(":")[2].strip() if self.mark.startswith("file:") else ""


def blocks(page: Path) -> list[Block]:
    """Return a page's fenced blocks, in order."""
    text = page.read_text()
    return [
        Block(match["language"], match["mark"] or "", match["text"], text.count("\n", 0, match.start()) + 1)
        for match in _BLOCK.finditer(text)
    ]
