mkdir bin
cp "$(command -v busybox)" bin/busybox
