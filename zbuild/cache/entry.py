"""The record of a stage as machines share it: what it was made from, what it came to, and the way to its layers.

It is found under a key, the sha256 of its inputs. Nothing in it is believed: its inputs must come to the key that was
asked for, its manifest and config to their digests, and its layers to what the config says of them.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.oci.layout import ImageBlobs, is_digest
from zbuild.plan.shared_key import shared_key

if TYPE_CHECKING:
    from zbuild.plan.shared_key import SharedInputs

FORMAT = 1
_MOST_BYTES = 16 << 20
Pairs: TypeAlias = "tuple[tuple[str, str], ...]"


class EntryError(ValueError):
    """An entry that is not what it says it is, or not what it should be."""


@dataclass(frozen=True, slots=True)
class StageEntry:
    """A shared record.

    `static` are the inputs with other stages standing in by their own static keys, `inputs` those with what other
    stages came to; `results` is the latter, in order, as records name it. `key` is what the record is kept under on one
    machine. `layers` are diff ids and the sizes of the tars, the lowest first. `exports` and `content`
    are as a record has them.
    """

    static: SharedInputs
    inputs: SharedInputs
    results: tuple[str, ...]
    key: str
    stage: str
    platform: str
    manifest: bytes
    config: bytes
    layers: tuple[tuple[str, int], ...]
    size: int
    seconds: float
    step_seconds: tuple[float, ...]
    exports: Pairs
    content: str
    created: float

    def is_fresh(self, ttl: float, now: float) -> bool:
        """Tell whether it is young enough to be used: `ttl` is in seconds, 0 for ever; `now` is unix time."""
        return not ttl or self.created + ttl > now

    @property
    def image(self) -> ImageBlobs:
        """The manifest and config."""
        return ImageBlobs(self.manifest, self.config)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that the entry is kept under: that of what its inputs came to, and the static one."""
        return tuple(dict.fromkeys((shared_key(self.inputs), shared_key(self.static))))

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The layers' digests, the lowest first."""
        return tuple(diff_id for diff_id, _ in self.layers)


def encode_entry(entry: StageEntry) -> bytes:
    """Return an entry as it is stored: the sha256 of what follows, for disks that rot, and JSON in ASCII."""
    document = {name: getattr(entry, name) for name in StageEntry.__slots__}
    document |= {"format": FORMAT, "manifest": entry.manifest.decode(), "config": entry.config.decode()}
    data = json.dumps(document, separators=(",", ":")).encode()
    return hashlib.sha256(data).hexdigest().encode() + b"\n" + data


def decode_entry(data: bytes, key: str) -> StageEntry:
    """Read what was found under a key. Raises EntryError unless everything in it agrees."""
    if len(data) > _MOST_BYTES:
        raise EntryError(f"it is {len(data)} bytes long")
    try:
        entry = _entry(_opened(data))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EntryError(f"it is no record ({type(error).__name__})") from error
    if key not in entry.keys:
        raise EntryError("its inputs are others")
    _check_image(entry)
    return entry


def layers_of(data: bytes) -> frozenset[str]:
    """Return the diff ids that a stored entry names; one that is damaged names none."""
    try:
        return frozenset(str(diff_id) for diff_id, _ in _opened(data)["layers"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return frozenset()


def _opened(data: bytes) -> dict[str, Any]:
    digest, _, document = data.partition(b"\n")
    if digest != hashlib.sha256(document).hexdigest().encode():
        raise ValueError("damaged")
    opened: dict[str, Any] = json.loads(document)
    return opened


def _entry(document: dict[str, Any]) -> StageEntry:
    if document["format"] != FORMAT:
        raise ValueError("another format")
    return StageEntry(
        static=_pairs(document["static"]),
        inputs=_pairs(document["inputs"]),
        results=tuple(map(str, document["results"])),
        key=str(document["key"]),
        stage=str(document["stage"]),
        platform=str(document["platform"]),
        manifest=document["manifest"].encode(),
        config=document["config"].encode(),
        layers=tuple((str(diff_id), int(size)) for diff_id, size in document["layers"]),
        size=int(document["size"]),
        seconds=float(document["seconds"]),
        step_seconds=tuple(map(float, document["step_seconds"])),
        exports=_pairs(document["exports"]),
        content=str(document["content"]),
        created=float(document["created"]),
    )


def _pairs(value: Any) -> Pairs:  # noqa: ANN401 - whatever JSON is there
    return tuple((str(one), str(other)) for one, other in value)


def _check_image(entry: StageEntry) -> None:
    try:
        told = tuple(layer["digest"] for layer in entry.image.layers)
        diff_ids = entry.image.diff_ids
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EntryError("its image is none") from error
    if not told == diff_ids == entry.diff_ids or not all(map(is_digest, diff_ids)):
        raise EntryError("its layers are not those of its image")
    if entry.image.config_digest != f"sha256:{hashlib.sha256(entry.config).hexdigest()}":
        raise EntryError("its config is not that of its manifest")
