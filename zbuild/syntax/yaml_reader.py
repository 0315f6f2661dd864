"""YAML text → nodes with spans, within limits: no input crashes it, stalls it or fills the memory.

It reads PyYAML's events, not its nodes or objects: libyaml's composer recurses on the C stack, where 100,000 `[` end
the process, and the constructor turns `no` into False. Here the depth is checked as events come, and texts stay texts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

import yaml

from zbuild.base.diagnostic import Diagnostic
from zbuild.base.errors import BuildFileError
from zbuild.base.span import Span
from zbuild.base.text import shortened
from zbuild.syntax.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.syntax.nodes import Node

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 200_000
"""Of scalars, lists and mappings, each counted as often as aliases repeat it."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_UNUSABLE = re.compile("[\0\ud800-\udfff]")  # can come from escapes; no program can be given it
_TAG_DIRECTIVE = re.compile(r"^%TAG\b.*", re.MULTILINE)  # useless here, and libyaml compares each with all others
_STANDARD_TAG = re.compile(r"!|tag:yaml\.org,2002:(str|int|float|bool|null|seq|map|merge)")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(data: bytes, file: str) -> Node:
    """Return the one document of a YAML file; `file` is what spans call it.

    Raises BuildFileError, and nothing else, for whatever is no YAML, or more than the limits allow.
    """
    text = _decode(data, file)
    loader = _LOADER(text)
    try:
        return _Reader(loader.get_event, file).document()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, file) from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        # The last three come from PyYAML's own scanner, where libyaml is missing.
        raise _error("bad-yaml", f"this is not YAML: {error}", Span(file, 1)) from None
    finally:
        loader.dispose()


def _decode(data: bytes, file: str) -> str:
    if len(data) > MAX_BYTES:
        raise _error("too-large", f"the file has {len(data)} bytes; build files may have {MAX_BYTES}", Span(file, 1))
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        hint = "it looks like UTF-16: save it as UTF-8" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        message = f"the file is not UTF-8: byte 0x{data[error.start]:02x}"
        raise _error("not-utf8", message, _place(before, file), hint) from None
    _check_text(text, file)
    return text


def _check_text(text: str, file: str) -> None:
    found = _FORBIDDEN.search(text)
    if found:
        message = f"the character U+{ord(found[0]):04X} may not stand in a build file"
        raise _error("bad-character", message, _place(text[: found.start()], file))
    found = _TAG_DIRECTIVE.search(text)
    if found:
        raise _error(
            "bad-tag", "YAML tags mean nothing here", _place(text[: found.start()], file), "take this line out"
        )


def _place(before: str, file: str) -> Span:
    """Return the place that comes right after a text."""
    return Span(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _error(code: str, message: str, span: Span, hint: str = "") -> BuildFileError:
    return BuildFileError([Diagnostic(code, message, span, hint)])


def _syntax_error(error: yaml.MarkedYAMLError, text: str, file: str) -> BuildFileError:
    mark = error.problem_mark or error.context_mark
    if mark is not None and mark.index >= len(text.rstrip()) and error.context_mark is not None:
        mark = error.context_mark  # what the end of the file leaves open is better shown where it begins
    span = Span(file, mark.line + 1, mark.column + 1) if mark else Span(file, 1)
    if mark is not None and text[mark.index : mark.index + 1] == "\t":
        return _error("bad-yaml", "a tab cannot stand here", span, "indent with spaces")
    problem = " ".join(str(error.problem or error.context).split())
    context = f" ({error.context})" if error.problem and error.context else ""
    in_brackets = "flow" in context and any("${" in line for line in text.split("\n")[span.line - 1 : span.line])
    hint = "inside [ ] and { }, texts with '${NAME}' need quotes" if in_brackets else ""
    return _error("bad-yaml", f"{problem}{context}", span, hint)


class _Reader:
    """Builds nodes from events; recursion is bounded by the depth allowed."""

    def __init__(self, next_event: Callable[[], yaml.Event], file: str) -> None:
        self._next = next_event
        self._file = file
        self._count = 0
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._open: set[str] = set()

    def document(self) -> Node:
        self._next()  # the stream's start
        start = self._next()
        if isinstance(start, yaml.StreamEndEvent):
            self._fail("empty-file", "the file holds nothing", Span(self._file, 1))
        node, _ = self._node(self._next(), 1)
        self._next()  # the document's end
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            self._fail("several-documents", "a build file is one YAML document; this starts another", self._span(after))
        return node

    def _span(self, event: yaml.Event) -> Span:
        mark = event.start_mark
        return Span(self._file, 1) if mark is None else Span(self._file, mark.line + 1, mark.column + 1)

    def _fail(self, code: str, message: str, span: Span, hint: str = "") -> NoReturn:
        raise _error(code, message, span, hint)

    def _node(self, event: yaml.Event, depth: int) -> tuple[Node, int]:
        """Return the node that begins with an event, and its height: 1 for a scalar."""
        span = self._span(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), span, depth)
        before = self._count
        self._add(1, depth, span)
        self._check_tag(event, span)
        anchor = getattr(event, "anchor", None)
        if anchor is None:
            return self._body(event, span, depth)
        self._open.add(anchor)
        node, height = self._body(event, span, depth)
        self._open.discard(anchor)
        self._anchors[anchor] = node, self._count - before, height
        return node, height

    def _body(self, event: yaml.Event, span: Span, depth: int) -> tuple[Node, int]:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, span), 1
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(span, depth)
        return self._mapping(span, depth)

    def _add(self, count: int, depth: int, span: Span) -> None:
        self._count += count
        if depth > MAX_DEPTH:
            self._fail("too-deep", f"lists and mappings are nested more than {MAX_DEPTH} deep", span)
        if self._count > MAX_NODES:
            self._fail("too-many-nodes", f"the file has more than {MAX_NODES} values, aliases counted in full", span)

    def _check_tag(self, event: yaml.Event, span: Span) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and not _STANDARD_TAG.fullmatch(tag):
            self._fail("bad-tag", f"the YAML tag '{shortened(tag)}' means nothing here", span)

    def _alias(self, name: str, span: Span, depth: int) -> tuple[Node, int]:
        if name in self._open:
            self._fail("bad-alias", f"'*{shortened(name)}' stands inside what it repeats", span)
        if name not in self._anchors:
            self._fail("bad-alias", f"there is no '&{shortened(name)}' before this", span)
        node, weight, height = self._anchors[name]
        self._add(weight, depth + height - 1, span)
        return node, height

    def _scalar(self, event: yaml.ScalarEvent, span: Span) -> Scalar:
        if not event.value.isprintable() and _UNUSABLE.search(event.value):
            self._fail("bad-character", "this text holds a character that no program can be given", span)
        # `!!str 8080` is meant as text, like "8080".
        plain = not event.style and event.tag is None
        return Scalar(event.value, plain, Span(span.file, span.line, span.column, _last_line(event)))

    def _sequence(self, span: Span, depth: int) -> tuple[Sequence, int]:
        items = []
        height = 0
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            item, item_height = self._node(event, depth + 1)
            items.append(item)
            height = max(height, item_height)
        return Sequence(tuple(items), _reaching(span, items[-1:])), height + 1

    def _mapping(self, span: Span, depth: int) -> tuple[Mapping, int]:
        own: dict[str, tuple[Scalar, Node]] = {}
        merged: dict[str, tuple[Scalar, Node]] = {}
        height = 0
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event, depth + 1)
            value, value_height = self._node(self._next(), depth + 1)
            key = Scalar(key.text, key.plain, _reaching(key.span, [value]))
            span = _reaching(span, [value])
            height = max(height, value_height)
            if key.plain and key.text == "<<":
                self._merge(value, merged, key.span)
            elif key.text in own:
                first = own[key.text][0].span
                message = f"'{shortened(key.text)}' is given twice: first in line {first.line}"
                self._fail("duplicate-key", message, key.span, "take one of them out")
            else:
                own[key.text] = key, value
        return Mapping((*own.values(), *(pair for name, pair in merged.items() if name not in own)), span), height + 1

    def _key(self, event: yaml.Event, depth: int) -> Scalar:
        key, _ = self._node(event, depth)
        if not isinstance(key, Scalar):
            self._fail("bad-key", "a key must be text, not a list or a mapping", self._span(event))
        return key

    def _merge(self, value: Node, merged: dict[str, tuple[Scalar, Node]], span: Span) -> None:
        """Take over the items of `<<: *mapping`, or of a list of such; the first to name a key wins (YAML merge)."""
        for source in value.items if isinstance(value, Sequence) else (value,):
            if not isinstance(source, Mapping):
                self._fail("bad-merge", "'<<' takes a mapping, or a list of mappings", span)
            for key, item in source.items:
                merged.setdefault(key.text, (key, item))


def _last_line(event: yaml.ScalarEvent) -> int:
    """Return the line a scalar ends in; a block's mark stands in the line behind it."""
    mark = event.end_mark
    if mark is None:
        return 0
    return int(mark.line + (1 if event.style not in ("|", ">") or mark.column else 0))


def _reaching(span: Span, nodes: list[Node]) -> Span:
    """Return a span that reaches as far as what stands in it; an alias stands elsewhere, and may come before."""
    end = max((node.span.last_line for node in nodes), default=span.end)
    return Span(span.file, span.line, span.column, end)
