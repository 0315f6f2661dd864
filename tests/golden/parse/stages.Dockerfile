# syntax=docker/dockerfile:1
ARG REGISTRY=registry.example
ARG TAG=1.2
ARG EMPTY
FROM --platform=linux/arm64 ${REGISTRY}/go:${TAG:-0} AS Build
ARG TAG
ARG PREFIX=/opt
ENV HOME=/root BIN=${PREFIX}/bin \
    PATH=${PATH}:/bin
WORKDIR $HOME/src
RUN --mount=type=cache,target=$HOME/.cache,id=c-$TAG,sharing=locked \
    --mount=type=bind,source=.,target=/src,rw --mount=type=tmpfs,target=/tmp,size=64m --network=none \
    # why
    go build -o ${BIN}/app

FROM build AS test
RUN ["go", "test"]
COPY --chown=$USER:0 --exclude=*.md --exclude=$TAG --link "a-$TAG" b /dst/
HEALTHCHECK --interval=1m30s --retries=3 CMD ["wget", "$HOME"]

FROM scratch
COPY --from=Build --parents /a/./b $NOTHING/c
COPY --from=0 ["x y", "/"]
ADD x.tar.gz ${NOTHING:-d}/
ADD --checksum=$SUM --unpack=false --keep-git-dir https://example.com/x.git#main /x
LABEL "a b"=$TAG c=d
EXPOSE 80 $P 90-91/udp
VOLUME ["/data", "/x"]
STOPSIGNAL SIG${S:-TERM}
SHELL ["/bin/sh", "-ec"]
USER 1:2
CMD exec $0
