"""Builds a Dockerfile and each of its prefixes by buildah and by zbuild, and tells in what the images differ.

A case is a folder: its `Dockerfile` (`Dockerfile.buildah` says the same in instructions that buildah 1.28 knows, where
it does not know them all); `context.sh`, which makes the context in the folder where it is run; and `case.yaml` with
`format` (docker or oci), `args` (build arguments), `triggers` (how many instructions its base's ONBUILD puts in front),
and `refused` (a part of zbuild's message, for what both refuse).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

from support.image_tree import describe_tree
from support.layer_mount import mounted_layers
from support.monorepo import Monorepo
from zbuild.backend.buildah.store import Store
from zbuild.base.diagnostic import Diagnostics
from zbuild.frontend.dockerfile.parse import read_dockerfile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from support.dockerfiles import Bench
    from support.monorepo import Ended

# RUN by the runtime and on the network that zbuild uses.
_BUILDAH = (
    *("build", "--pull-never", "--identity-label=false"),
    *("--isolation", "oci", "--runtime", "runc", "--network", "host"),
)
_STEP = re.compile(r"(?:\[(\d+)/\d+\] )?STEP (\d+)/\d+: ")
_IMAGE = re.compile("--> ([0-9a-f]{11})$")
_OF_ITS_CONTAINER = ("Hostname", "Image")


@dataclass(frozen=True)
class Case:
    """One Dockerfile with its context."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def settings(self) -> dict[str, Any]:
        file = self.folder / "case.yaml"
        return yaml.safe_load(file.read_text()) if file.exists() else {}

    @property
    def format(self) -> str:
        return self.settings.get("format", "docker")

    @property
    def args(self) -> dict[str, str]:
        return self.settings.get("args", {})

    @property
    def triggers(self) -> int:
        return self.settings.get("triggers", 0)

    @property
    def refused(self) -> str:
        return self.settings.get("refused", "")

    @cached_property
    def prefixes(self) -> dict[str, bytes]:
        """The Dockerfile cut behind each instruction of a stage: `STAGE.INSTRUCTION`, from 1, FROM being the first."""
        data = (self.folder / "Dockerfile").read_bytes()
        lines = data.splitlines(keepends=True)
        found = {}
        stage = instruction = 0
        for statement in read_dockerfile(data, "Dockerfile", Diagnostics()).statements:
            stage, instruction = (stage + 1, 1) if statement.keyword == "FROM" else (stage, instruction + 1)
            if stage:
                found[f"{stage}.{instruction}"] = b"".join(lines[: statement.span.end or statement.span.line])
        return found

    @property
    def whole(self) -> str:
        """The name of the prefix that is all of it."""
        return list(self.prefixes)[-1]

    @property
    def runs(self) -> bool:
        return b"\nRUN " in self.prefixes[self.whole]

    def write(self, folder: Path) -> None:
        """Make `context`, and `files` with each prefix, and `Dockerfile` for buildah."""
        context, files = folder / "context", folder / "files"
        context.mkdir(parents=True)
        files.mkdir()
        script = self.folder / "context.sh"
        if script.exists():
            subprocess.run(["sh", "-eu", str(script)], cwd=context, check=True)
        other = self.folder / "Dockerfile.buildah"
        shutil.copy(other if other.exists() else self.folder / "Dockerfile", files / "Dockerfile")
        for name, text in self.prefixes.items():
            (files / name).write_bytes(text)

    def order(self, prefix: str, tag: str) -> dict[str, Any]:
        """Return what zbuild.yaml says of an image made of a prefix."""
        return {
            "context": f"{self.name}/context",
            "file": f"{self.name}/files/{prefix}",
            "tags": [tag],
            "format": self.format,
            "build_args": self.args,
        }


@dataclass(frozen=True)
class Image:
    """All that an image holds of its files but their times, by path, and its configuration, by key."""

    tree: dict[str, tuple[object, ...]]
    config: dict[str, Any]


def differences(ours: Image, theirs: Image) -> dict[str, str]:
    """Return `tree PATH` and `config KEY` of all that differs, with both values."""
    return {
        f"{part} {name}": f"{left.get(name)} / {right.get(name)}"
        for part, left, right in (("tree", ours.tree, theirs.tree), ("config", ours.config, theirs.config))
        for name in sorted({*left, *right})
        if left.get(name) != right.get(name)
    }


@dataclass
class Laboratory:
    """Builds cases on a bench, all at once, and compares what came of them."""

    bench: Bench
    cases: Sequence[Case]
    buildah: dict[str, subprocess.CompletedProcess[str]] = field(default_factory=dict)
    zbuild: dict[str, Ended] = field(default_factory=dict)

    def make_base(self, folder: Path) -> None:
        """Make `localhost/test/NAME:1` of the Dockerfile in a folder NAME."""
        flags = [*_BUILDAH, "--format", "docker", "--quiet", "--tag", f"localhost/test/{folder.name}:1"]
        self.bench.storage.buildah(*flags, folder)

    def build(self) -> None:
        for case in self.cases:
            case.write(self.bench.folder / case.name)
        with ThreadPoolExecutor(2) as pool:
            ended = pool.map(self._by_buildah, self.cases)
            self.buildah = {case.name: done for case, done in zip(self.cases, ended, strict=True)}
        good = [case for case in self.cases if not case.refused]
        prefixes = [(case, at) for case in good for at in {**self.steps(case), case.whole: ""}]
        orders = {f"{case.name}-{at}": case.order(at, f"localhost/z/{case.name}:{at}") for case, at in prefixes}
        self.zbuild["all"] = self._by_zbuild("zbuild.yaml", orders)
        runs = [case for case in good if case.runs]
        orders = {f"{case.name}-run": case.order(case.whole, f"localhost/y/{case.name}:1") for case in runs}
        self.zbuild["run"] = self._by_zbuild("run.yaml", orders, "-B", ZBUILD_RUN="buildah")
        for case in self.cases:
            if case.refused:
                orders = {case.name: case.order(case.whole, f"localhost/z/{case.name}:1")}
                self.zbuild[case.name] = self._by_zbuild("refused.yaml", orders)

    def steps(self, case: Case) -> dict[str, str]:
        """Return the prefixes of which buildah has made an image (of no stage that is not needed), and where its id."""
        found, at = {}, ""
        for line in self.buildah[case.name].stdout.splitlines():
            if step := _STEP.match(line):
                at = f"{step[1] or 1}.{int(step[2]) - case.triggers}"
            elif (image := _IMAGE.match(line)) and at in case.prefixes:
                found[at], at = image[1], ""
        return found

    def compare(self, case: Case) -> dict[str, str]:
        """Return all differences between the images of buildah and zbuild, and the prefix that first has each."""
        found: dict[str, str] = {}
        if self.buildah[case.name].returncode:
            found["refused"] = self.buildah[case.name].stderr
        for at, image_id in self.steps(case).items():
            ours, theirs = self.image(f"localhost/z/{case.name}:{at}"), self.image(image_id)
            for what, values in differences(ours, theirs).items():
                found.setdefault(what, f"from {at} on: {values}")
        return found

    def image(self, name: str) -> Image:
        """Return what an image holds, by its name or the beginning of its id. Raises LookupError."""
        store = Store(self.bench.storage.root / "graph", "overlay")
        found = [image for image in store.images().values() if name in image.names or image.id.startswith(name)]
        if not found:
            message = f"there is no image {name}"
            raise LookupError(message)
        with mounted_layers(store.graphroot, found[0].layer) as root:
            return Image(describe_tree(root), _config(store.config(found[0].id)))

    def _by_buildah(self, case: Case) -> subprocess.CompletedProcess[str]:
        """Build a case with an image for each instruction, none of them looked up: that would be a search of all."""
        folder = self.bench.folder / case.name
        flags = [*_BUILDAH, "--layers", "--no-cache", "--format", case.format]
        for name, value in case.args.items():
            flags += ["--build-arg", f"{name}={value}"]
        argv = ["buildah", *flags, "-f", str(folder / "files/Dockerfile"), str(folder / "context")]
        return subprocess.run(argv, env=self.bench.storage.environment, check=False, capture_output=True, text=True)

    def _by_zbuild(self, file: str, images: Mapping[str, object], *flags: str, **settings: str) -> Ended:
        (self.bench.folder / file).write_text(yaml.safe_dump({"images": dict(images)}))
        repo = Monorepo(self.bench.folder, self.bench.storage.environment)
        return repo.zbuild("build", "-f", file, "--progress", "plain", "-k", "-j2", *flags, timeout=600, **settings)


def _config(document: dict[str, Any]) -> dict[str, Any]:
    config = {key: value for key, value in document["config"].items() if value and key not in _OF_ITS_CONTAINER}
    environment = dict(entry.partition("=")[::2] for entry in config.pop("Env", ()))  # which has no order
    return {
        **config,
        **{f"Env {name}": value for name, value in environment.items()},
        "author": document.get("author", ""),
    }
