"""JSON as images and registries have it: written in one form, and read without trusting whoever wrote it."""

from __future__ import annotations

import json
from typing import Any


def encode_json(document: object) -> bytes:
    """Return a document in the one form zbuild writes it: equal documents have equal digests."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def decode_json(data: bytes | str) -> dict[str, Any]:
    """Return an object. Raises ValueError for anything else, and for what is nested too deep to be read."""
    try:
        read = json.loads(data)
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None
    if not isinstance(read, dict):
        raise ValueError("JSON that is not an object")  # noqa: TRY004 - wrong JSON is a wrong value
    return read
