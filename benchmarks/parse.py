"""How fast Dockerfiles are read: 1,000 files of about 60 lines, parsed and lowered, and checked by lint.

    python benchmarks/parse.py [COUNT]

Wall time of one process that reads one file after the other, best of three; the files differ from each other.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from zbuild.frontend.dockerfile.parse import parse_dockerfile
from zbuild.frontend.lint.lint import lint_dockerfile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ROUNDS = 3
_TEXT = """\
# syntax=docker/dockerfile:1
# Service {n}: built with its own toolchain, shipped without it.
ARG VERSION=1.{n}
ARG BASE=debian:12

FROM --platform=$BUILDPLATFORM golang:1.23 AS builder
ARG VERSION
ARG TARGETOS TARGETARCH
ENV CGO_ENABLED=0 \\
    GOFLAGS=-trimpath \\
    CACHE_DIR="/cache/{n}"
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod,sharing=locked \\
    --mount=type=cache,id=build-{n},target=/root/.cache \\
    go mod download && \\
    go mod verify
# The sources come last: they change most.
COPY --chown=1000:1000 cmd/ cmd/
COPY --chown=1000:1000 internal/ internal/
RUN --mount=type=cache,target=/go/pkg/mod \\
    --mount=type=bind,source=assets,target=/assets \\
    set -eux; \\
    for name in api worker migrate; do \\
        go build -ldflags "-X main.version=$VERSION" \\
            -o "/out/$name" "./cmd/$name"; \\
    done; \\
    ls -l /out

FROM builder AS test
RUN --network=none go test ./...

FROM node:22 AS web
WORKDIR /web
COPY web/package.json web/package-lock.json ./
RUN --mount=type=cache,target=/root/.npm \\
    npm ci --no-audit
COPY web/ ./
RUN npm run build -- --mode "production" \\
    && find dist -name '*.map' -delete

FROM ${{BASE}} AS final
ARG VERSION
LABEL org.opencontainers.image.title="service-{n}" \\
      org.opencontainers.image.version="${{VERSION:-0}}" \\
      org.opencontainers.image.vendor="Example"
ENV PATH=/opt/service/bin:$PATH PORT=80{n:04d}
RUN apt-get update \\
    && apt-get install -y --no-install-recommends ca-certificates tini \\
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/service
COPY --from=builder --link /out/ bin/
COPY --from=web /web/dist static/
EXPOSE 8080/tcp 9090
VOLUME ["/data", "/logs"]
USER 1000:1000
HEALTHCHECK --interval=30s --timeout=3s CMD ["bin/api", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--"]
CMD ["bin/api", "--port", "8080"]
"""


def main(words: Sequence[str]) -> None:
    """Print the times."""
    count = int(words[0]) if words else 1000
    files = [_TEXT.format(n=number).encode() for number in range(count)]
    lines = files[0].count(b"\n")
    for name, read in (("parse", parse_dockerfile), ("parse and lint", lint_dockerfile)):
        print(f"{name}: {count} Dockerfiles of {lines} lines in {_best(read, files):.2f} s")


def _best(read: Callable[[bytes, str], object], files: Sequence[bytes]) -> float:
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for data in files:
            read(data, "Dockerfile")
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    main(sys.argv[1:])
