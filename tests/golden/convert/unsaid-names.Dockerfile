FROM alpine AS one
FROM busybox AS One
RUN true
