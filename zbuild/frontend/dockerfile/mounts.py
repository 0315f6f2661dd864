"""RUN --mount: comma-separated options to mounts (BuildKit's dockerfile reference, "RUN --mount")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.text import did_you_mean
from zbuild.model.mounts import BindMount, CacheMount, SecretMount, SshMount, TmpfsMount, UnreadMount

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.frontend.dockerfile.statement import Flag
    from zbuild.model.mounts import Mount, Sharing, WrittenMount
    from zbuild.model.ops import Pairs

_ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}
_OPPOSITES = {"readonly": "readwrite", "readwrite": "readonly"}
_SWITCHES = (*_OPPOSITES, "required")
# Options whose variables are expanded where the mount is used, so that their words can be kept as they are.
_WORDS = ("target", "source", "id", "env")
_SHARING: dict[str, Sharing] = {"shared": "shared", "private": "private", "locked": "locked"}
_TRUTHS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?([kmgtp]?)i?b?", re.IGNORECASE)
_UNITS = "kmgtp"
_MAX_ID = 2**32 - 1
_MAX_MODE = 0o7777
# One item of a CSV line: in quotes, where two of them are one, or without any.
_ITEM = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\Z)')


class MountError(ValueError):
    """A mount that cannot be; `hint` goes into the diagnostic."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class _Options:
    """The options of one mount by their full names; of a repeated one the last counts."""

    values: dict[str, str]

    def word(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)

    def truth(self, name: str) -> bool:
        value = self.values.get(name, "false")
        if value.lower() not in _TRUTHS:
            raise MountError(f"the mount option '{name}' is true or false, not '{value[:40]}'")
        return _TRUTHS[value.lower()]

    def number(self, name: str) -> int:
        value = self.values.get(name, "0")
        if not re.fullmatch("[0-9]{1,10}", value) or int(value) > _MAX_ID:
            raise MountError(f"the mount option '{name}' is a number, not '{value[:40]}'")
        return int(value)

    def mode(self, default: str) -> str:
        value = self.values.get("mode", default)
        if value != default and (not re.fullmatch("[0-7]{1,11}", value) or int(value, 8) > _MAX_MODE):
            raise MountError(f"the mount option 'mode' is an octal number, not '{value[:40]}'")
        return value

    def is_readonly(self) -> bool:
        return not self.truth("readwrite") if "readwrite" in self.values else self.truth("readonly")


def parse_mount(flag: Flag, problems: Diagnostics) -> WrittenMount | None:
    """Read one --mount flag; what is wrong with it is reported, and None returned."""
    try:
        return _written(_options(flag.value or ""))
    except MountError as error:
        problems.error("bad-mount", str(error), flag.span, error.hint)
        return None


def _written(options: dict[str, str]) -> WrittenMount:
    source = options.get("from", "")
    if re.search(r"\$.", source):
        hint = "give the image a name with FROM … AS, and use that"
        raise MountError("the mount option 'from' takes no variables", hint=hint)
    if any("$" in value for name, value in options.items() if name not in (*_WORDS, "from")):
        return UnreadMount(tuple(options.items()), source)
    return _mount(options)


def read_options(options: Pairs) -> Mount:
    """Return the mount that options, by their full names and with their variables expanded, make.

    Raises MountError.
    """
    return _mount(dict(options))


def _mount(options: dict[str, str]) -> Mount:
    kind = options.get("type", "bind").lower()
    if kind not in _KINDS:
        raise MountError(f"there is no mount type '{kind[:40]}'", hint=did_you_mean(kind, _KINDS))
    make, known = _KINDS[kind]
    for name in options:
        if name not in known:
            raise MountError(f"a mount of type {kind} has no option '{name[:40]}'", hint=did_you_mean(name, known))
    return make(_Options(options))


def _options(text: str) -> dict[str, str]:
    """Return the options by their full names; the last of several counts, as it does of readonly and readwrite."""
    options: dict[str, str] = {}
    for name, value in map(_option, _comma_separated(text)):
        options[name] = value
        options.pop(_OPPOSITES.get(name, ""), None)
    return options


def _comma_separated(text: str) -> list[str]:
    items, place, more = [], 0, True
    while more:
        match = _ITEM.match(text, place)
        if match is None:
            raise MountError(f"the mount options are no comma-separated list: a stray quote in '{text[place:][:40]}'")
        items.append(match[2] if match[1] is None else match[1].replace('""', '"'))
        place, more = match.end(), bool(match[3])
    return items


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    name = _ALIASES.get(name.lower(), name.lower())
    if not equals and name not in _SWITCHES:
        raise MountError(f"the mount option '{text[:40]}' has no value", hint=f"write {text[:40]}=…" if text else "")
    return name, value if equals else "true"


def _cache(options: _Options) -> CacheMount:
    sharing = options.word("sharing", "shared").lower()
    if sharing not in _SHARING:
        raise MountError("sharing is shared, private or locked", hint=did_you_mean(sharing, _SHARING))
    source, path = options.word("from"), options.word("source")
    if path and not source:
        hint = "name the stage or image that holds it, or take 'source' out"
        raise MountError("a cache mount has a 'source' only with 'from'", hint=hint)
    return CacheMount(
        target=options.word("target"),
        id=options.word("id"),
        sharing=_SHARING[sharing],
        readonly=options.is_readonly(),
        mode=options.mode(""),
        uid=options.number("uid"),
        gid=options.number("gid"),
        source=source,
        path=path or "/",
    )


def _bind(options: _Options) -> BindMount:
    readwrite = not options.truth("readonly") if "readonly" in options.values else options.truth("readwrite")
    return BindMount(options.word("target"), options.word("source") or "/", options.word("from"), readwrite)


def _tmpfs(options: _Options) -> TmpfsMount:
    text = options.word("size", "0")
    match = _SIZE.fullmatch(text)
    if not match:
        raise MountError(f"the mount option 'size' is a size, not '{text[:40]}'", hint="write it like 64m or 1g")
    exponent = _UNITS.index(match[2].lower()) + 1 if match[2] else 0
    return TmpfsMount(options.word("target"), int(float(match[1]) * 1024**exponent), options.is_readonly())


def _secret(options: _Options) -> SecretMount:
    if options.word("source") and options.word("id"):
        raise MountError("of a secret's 'id' and 'source', which is the same, only one can be given")
    mount = SecretMount(
        id=options.word("id") or options.word("source"),
        target=options.word("target"),
        env=options.word("env"),
        required=options.truth("required"),
        mode=options.mode("0400"),
        uid=options.number("uid"),
        gid=options.number("gid"),
    )
    if not mount.id and not mount.target:
        raise MountError("the secret has no name", hint="add id=NAME")
    return mount


def _ssh(options: _Options) -> SshMount:
    return SshMount(
        id=options.word("id") or "default",
        target=options.word("target"),
        required=options.truth("required"),
        mode=options.mode("0600"),
        uid=options.number("uid"),
        gid=options.number("gid"),
    )


# What BuildKit lets stand though it means nothing there (`id` of a bind, `readonly` of a secret) is let stand here.
_COMMON = ("type", "target", "id", "readonly", "readwrite")
_OWNED = ("mode", "uid", "gid")
_KINDS: dict[str, tuple[Callable[[_Options], Mount], tuple[str, ...]]] = {
    "cache": (_cache, (*_COMMON, *_OWNED, "sharing", "from", "source")),
    "bind": (_bind, (*_COMMON, "from", "source")),
    "tmpfs": (_tmpfs, (*_COMMON, "size", "from")),
    "secret": (_secret, (*_COMMON, *_OWNED, "source", "env", "required")),
    "ssh": (_ssh, (*_COMMON, *_OWNED, "required")),
}
