# Comments are not kept.
ARG GO_VERSION=1.25
FROM golang:${GO_VERSION} AS Build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod,sharing=locked go mod download
ARG VERSION="1.0 \"beta\""
COPY --chown=1000:1000 --exclude=*.md . .
RUN --network=none go build -o out/app . && echo "$VERSION" > out/version

FROM debian:bookworm
ENV PATH=/app/bin:$PATH NAME='a b' MODE="${MODE:-fast}"
LABEL org.example.title="The service" \
      org.example.version=1
COPY --from=build ["src/out/app", "/app/bin/"]
COPY ["the app", "/app/"]
COPY --from=0 --link ./src/out/version /app/
ADD files.tar.gz /srv/
ADD --checksum=$SUM --chmod=0755 https://example.com/tool-$VERSION /usr/bin/tool
ADD --keep-git-dir=true --unpack=false https://example.com/a.git#main:docs /docs/
EXPOSE 8080 53/udp
VOLUME /data
HEALTHCHECK --interval=30s --timeout=1500ms --retries=2 CMD curl -f http://localhost:8080/
STOPSIGNAL SIGINT
ENTRYPOINT ["/app/bin/app"]
CMD ["--serve"]
USER 1000
