FROM alpine
SHELL ["/bin/ash", "-c"]
MAINTAINER somebody
ARG EMPTY=
RUN --mount=type=cache,target=/c,uid=5 make
COPY --chmod=u+x a b /c/
HEALTHCHECK NONE
COPY <<EOF x /d/
$A
EOF
ONBUILD RUN make
RUN <<tool
#!/bin/tool
EOF
tool
COPY a b /c
