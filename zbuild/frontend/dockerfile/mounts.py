"""RUN --mount: comma-separated options to mounts (BuildKit's dockerfile reference, "RUN --mount")."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zbuild.base.text import did_you_mean
from zbuild.model.mounts import BindMount, CacheMount, TmpfsMount

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.frontend.dockerfile.statement import Flag
    from zbuild.model.mounts import Mount, Sharing

_ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}
_OPPOSITES = {"readonly": "readwrite", "readwrite": "readonly"}
_LATER_TYPES = ("secret", "ssh")
_SHARING: dict[str, Sharing] = {"shared": "shared", "private": "private", "locked": "locked"}
_TRUTHS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?([kmgtp]?)i?b?", re.IGNORECASE)
_UNITS = "kmgtp"
_MAX_ID = 2**32 - 1


class _MountError(ValueError):
    """A mount that cannot be; `code` and `hint` go into the diagnostic."""

    def __init__(self, message: str, *, code: str = "bad-mount", hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


@dataclass(slots=True)
class _Options:
    """The options of one mount by their full names; of a repeated one the last counts."""

    values: dict[str, str] = field(default_factory=dict)

    def word(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)

    def plain(self, name: str, default: str) -> str:
        """Return the value of an option that takes no variables, for now."""
        value = self.values.get(name, default)
        if "$" in value:
            raise _MountError(f"variables in the mount option '{name}' are not supported yet", code="not-yet")
        return value

    def truth(self, name: str) -> bool:
        value = self.plain(name, "false")
        if value.lower() not in _TRUTHS:
            raise _MountError(f"the mount option '{name}' is true or false, not '{value[:40]}'")
        return _TRUTHS[value.lower()]

    def number(self, name: str) -> int:
        value = self.plain(name, "0")
        if not re.fullmatch("[0-9]{1,10}", value) or int(value) > _MAX_ID:
            raise _MountError(f"the mount option '{name}' is a number, not '{value[:40]}'")
        return int(value)

    def target(self) -> str:
        if not self.word("target"):
            raise _MountError("the mount has no target", hint="add target=/path")
        return self.word("target")


def parse_mount(flag: Flag, problems: Diagnostics) -> Mount | None:
    """Read one --mount flag; what is wrong with it is reported, and None returned."""
    try:
        return _parse(flag.value or "")
    except _MountError as error:
        problems.error(error.code, str(error), flag.span, error.hint)
        return None


def _parse(text: str) -> Mount:
    options = _options(text)
    kind = options.plain("type", "bind").lower()
    if kind in _LATER_TYPES:
        raise _MountError(f"mounts of type {kind} are not supported yet", code="not-yet")
    if kind not in _KINDS:
        hint = did_you_mean(kind, (*_KINDS, *_LATER_TYPES))
        raise _MountError(f"there is no mount type '{kind[:40]}'", hint=hint)
    make, known = _KINDS[kind]
    for name in options.values:
        if name not in ("type", "target", *known):
            hint = did_you_mean(name, ("type", "target", *known))
            raise _MountError(f"a {kind} mount has no option '{name[:40]}'", hint=hint)
    return make(options)


def _options(text: str) -> _Options:
    options = _Options()
    for name, value in map(_option, _comma_separated(text)):
        options.values[name] = value
        if name in _OPPOSITES:  # the last one of the two counts
            options.values.pop(_OPPOSITES[name], None)
    return options


def _comma_separated(text: str) -> list[str]:
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise _MountError(f"the mount options are no comma-separated list: {error}") from None


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    name = _ALIASES.get(name.lower(), name.lower())
    if not equals and name not in _OPPOSITES:
        raise _MountError(f"the mount option '{text[:40]}' has no value", hint=f"write {text[:40]}=…")
    return name, value if equals else "true"


def _cache(options: _Options) -> CacheMount:
    for name in ("from", "source"):
        if options.word(name):
            raise _MountError(f"cache mounts with '{name}' are not supported yet", code="not-yet")
    sharing = options.plain("sharing", "shared").lower()
    if sharing not in _SHARING:
        raise _MountError("sharing is shared, private or locked", hint=did_you_mean(sharing, _SHARING))
    mode = options.plain("mode", "")
    if mode and not re.fullmatch("[0-7]{1,5}", mode):
        raise _MountError(f"the mount option 'mode' is an octal number, not '{mode[:40]}'")
    return CacheMount(
        target=options.target(),
        id=options.word("id"),
        sharing=_SHARING[sharing],
        readonly=_is_readonly(options),
        mode=mode,
        uid=options.number("uid"),
        gid=options.number("gid"),
    )


def _is_readonly(options: _Options) -> bool:
    return not options.truth("readwrite") if "readwrite" in options.values else options.truth("readonly")


def _bind(options: _Options) -> BindMount:
    source = options.word("from")
    if "$" in source:
        hint = "give the image a name with FROM … AS, and use that"
        raise _MountError("the mount option 'from' takes no variables", hint=hint)
    readwrite = not options.truth("readonly") if "readonly" in options.values else options.truth("readwrite")
    return BindMount(options.target(), options.word("source") or "/", source, readwrite)


def _tmpfs(options: _Options) -> TmpfsMount:
    text = options.plain("size", "0")
    match = _SIZE.fullmatch(text)
    if not match:
        raise _MountError(f"the mount option 'size' is a size, not '{text[:40]}'", hint="write it like 64m or 1g")
    exponent = _UNITS.index(match[2].lower()) + 1 if match[2] else 0
    return TmpfsMount(options.target(), int(float(match[1]) * 1024**exponent))


_KINDS: dict[str, tuple[Callable[[_Options], Mount], tuple[str, ...]]] = {
    "cache": (_cache, ("id", "sharing", "readonly", "readwrite", "mode", "uid", "gid", "from", "source")),
    "bind": (_bind, ("from", "source", "readonly", "readwrite")),
    "tmpfs": (_tmpfs, ("size",)),
}
