printf '*\n!src\nsrc/private\n!**/*.keep\n' > .dockerignore
mkdir -p src/private other/deep
touch src/a src/private/b src/private/c.keep other/d other/deep/e.keep
