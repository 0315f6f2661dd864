"""Measures what a remote cache saves: ten images whose builders take five seconds each, built, and pulled instead.

usage: remote.py [--seconds S] [--images N] [--rounds N]

Machines are stores and checkouts of their own. Everything is built without a cache, built and brought to one, and
pulled by an empty machine. Places are a folder, an S3 server (moto) and a docker-registry on loopback.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from generate import BASE
from measure import timed
from peers import Store, run

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.registry import run_registry
from support.s3_server import BUCKET, run_s3

if TYPE_CHECKING:
    from collections.abc import Iterator

_TARGET = 5.0
_KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_REGION": "us-east-1"}
_IMAGE = """\
  service{number:02}:
    tags: [localhost/bench/service{number:02}:1]
    stages:
      builder:
        base: {base}
        steps:
          - copy: source{number:02}.txt
            to: /source.txt
          - run: mkdir /made && sleep {seconds} && head -c 2000000 /dev/urandom > /made/program
      runtime:
        base: {base}
        steps:
          - {{copy: /made, from: builder, to: /made}}
          - run: mkdir /ready
"""


class Machine:
    """A store with the base image, and a checkout."""

    def __init__(self, folder: Path, base: Path, images: int, seconds: float) -> None:
        self._store = Store(folder)
        self._base = base
        self.root = folder / f"checkout-of-{folder.name}"
        self.root.mkdir()
        for number in range(images):
            (self.root / f"source{number:02}.txt").write_text(f"{number}\n")
        text = "".join(_IMAGE.format(number=number, base=BASE, seconds=seconds) for number in range(images))
        (self.root / "zbuild.yaml").write_text(f"images:\n{text}")

    def make_base(self) -> None:
        """Write the base image to a folder, for all machines to have the same."""
        self._store.reset()
        self._store.buildah("push", "--quiet", "--disable-compression", BASE, f"dir:{self._base}")

    def empty(self) -> None:
        """Forget everything but the base image."""
        self._store.reset()
        self._store.buildah("rmi", "--all", "--force")
        self._store.buildah("tag", self._store.buildah("pull", "--quiet", f"dir:{self._base}").split()[-1], BASE)
        shutil.rmtree(self.root / ".zbuild", ignore_errors=True)

    def build(self, *flags: str) -> str:
        argv = [sys.executable, "-m", "zbuild", "build", "-C", str(self.root), "-j2", *flags]
        return run(argv, self._store.environment | _KEYS)

    def close(self) -> None:
        self._store.remove()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="zbench-", dir="/var/tmp"))
    try:
        least = dict(_measured(folder, chosen))
    finally:
        shutil.rmtree(folder)
    built = least["built, no cache"]
    print(f"{chosen.images} images, builders of {chosen.seconds:g} s, -j2; least of {chosen.rounds} rounds")
    for name, seconds in least.items():
        print(f"{name:28} {seconds:6.2f} s  1/{built / seconds:.1f}")
    return 0 if all(built / least[name] >= _TARGET for name in least if name.startswith("pulled")) else 1


def _measured(folder: Path, chosen: argparse.Namespace) -> Iterator[tuple[str, float]]:
    with ExitStack() as stack:
        machines = [Machine(folder / name, folder / "base", chosen.images, chosen.seconds) for name in ("one", "two")]
        for machine in machines:
            stack.callback(machine.close)
        one, two = machines
        one.make_base()
        yield "built, no cache", min(_timed(one) for _ in range(chosen.rounds))
        for name, place in _places(folder, stack).items():
            yield f"built, brought to {name}", _timed(one, "--cache-to", place)
            pulled = [_timed(two, "--cache-from", place, pulls=chosen.images) for _ in range(chosen.rounds)]
            yield f"pulled from {name}", min(pulled)


def _timed(machine: Machine, *flags: str, pulls: int = 0) -> float:
    machine.empty()
    said: list[str] = []
    seconds = timed(lambda: said.append(machine.build(*flags)))
    if said[0].count("pulled in") != pulls:
        raise SystemExit(f"{pulls} images should have been pulled:\n{said[0]}")
    return seconds


def _places(folder: Path, stack: ExitStack) -> dict[str, str]:
    for name in ("registry", "s3"):
        (folder / name).mkdir()
    registry = stack.enter_context(run_registry(folder / "registry"))
    endpoint = stack.enter_context(run_s3(folder / "s3"))
    return {
        "a folder": str(folder / "cache"),
        "S3": f"s3://{BUCKET}/bench?endpoint={endpoint}",
        "a registry": f"{registry}/bench/cache",
    }


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
