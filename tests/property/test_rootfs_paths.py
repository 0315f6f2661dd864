"""Whatever links a root holds and whatever path is given: nothing outside the root is touched."""

from __future__ import annotations

import os
import tempfile
from io import BytesIO
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from zbuild.backend.rootfs import Attributes, Rootfs

_NAMES = st.sampled_from(["a", "b", "c", "..", ".", "", "outside"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=6).map("/".join)
_TARGETS = st.builds(lambda absolute, path: ("/" if absolute else "") + path, st.booleans(), _PATHS)


def snapshot(folder: Path) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes() if path.is_file() else b"") for path in sorted(folder.iterdir())]


@settings(max_examples=150, deadline=None)
@given(links=st.lists(st.tuples(_PATHS, _TARGETS), max_size=5), path=_PATHS)
def test_nothing_outside_is_touched(links: list[tuple[str, str]], path: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        outside = Path(name)
        (outside / "outside").write_bytes(b"host")
        (outside / "a").mkdir()
        before = snapshot(outside)
        (outside / "root").mkdir()
        with Rootfs(os.fsencode(outside / "root")) as root:
            for actions in (*((link, target) for link, target in links), (path, None)):
                _do(root, *actions)
            assert root.read(os.fsencode(path), 9) != b"host"
        after = [item for item in snapshot(outside) if item[0] != "root"]
        assert after == before


def _do(root: Rootfs, path: str, target: str | None) -> None:
    """Put a link or a file, having made the folders above; what the system refuses is no matter here."""
    where = os.fsencode(path)
    try:
        root.make_folder(where.rpartition(b"/")[0])
        if target is None:
            root.put_file(where, BytesIO(b"new"), Attributes())
            root.put_folder(where + b"/x", Attributes())
        else:
            root.put_link(where, os.fsencode(target) or b"a", Attributes())
    except OSError:
        pass
