"""How an image was built, as an in-toto statement with SLSA's provenance (slsa.dev/spec/v1.0/provenance).

It names arguments and secrets and holds the value of none.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

STATEMENT_MEDIA_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:zbuild:image-build:1"  # its parameters are described in docs/supply-chain.md
BUILDER = "urn:zbuild:builder:local"  # a builder of whom no more is known than that it ran zbuild


@dataclass(frozen=True, slots=True)
class Material:
    """Something an image was made of: where it came from, and the digest of what was taken, in hex digits.

    The digest is "" where it is not known.
    """

    uri: str
    algorithm: str
    digest: str
    name: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as a ResourceDescriptor of in-toto."""
        told: dict[str, Any] = {"uri": self.uri} | ({"name": self.name} if self.name else {})
        return told | ({"digest": {self.algorithm: self.digest}} if self.digest else {})


@dataclass(frozen=True, slots=True)
class BuildFacts:
    """What is told of a build: names and digests, no values. `started` and `finished` are unix time.

    `stages` are those of the image, with the keys their results are recorded under.
    """

    image: str
    platform: str
    file: str
    stages: tuple[tuple[str, str], ...]
    arguments: tuple[str, ...]
    secrets: tuple[str, ...]
    materials: tuple[Material, ...]
    backend: str
    started: float
    finished: float
    run: str
    version: str
    builder: str = BUILDER


def statement(subjects: Sequence[tuple[str, str]], facts: BuildFacts) -> dict[str, Any]:
    """Return the statement about subjects: names with their digests (`sha256:…`)."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": _digest(digest)} for name, digest in subjects],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"buildDefinition": _definition(facts), "runDetails": _details(facts)},
    }


def _definition(facts: BuildFacts) -> dict[str, Any]:
    external = {"image": facts.image, "file": facts.file, "platform": facts.platform}
    named = {"arguments": list(facts.arguments), "secrets": list(facts.secrets)}
    return {
        "buildType": BUILD_TYPE,
        "externalParameters": external | named,
        "internalParameters": {"backend": facts.backend, "stages": dict(facts.stages)},
        "resolvedDependencies": [material.to_json() for material in facts.materials],
    }


def _details(facts: BuildFacts) -> dict[str, Any]:
    return {
        "builder": {"id": facts.builder, "version": {"zbuild": facts.version}},
        "metadata": {
            "invocationId": facts.run,
            "startedOn": timestamp(facts.started),
            "finishedOn": timestamp(facts.finished),
        },
    }


def timestamp(seconds: float) -> str:
    """Return unix time as RFC 3339 has it, in UTC and to the second."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _digest(text: str) -> dict[str, str]:
    algorithm, _, value = text.partition(":")
    return {algorithm: value}
