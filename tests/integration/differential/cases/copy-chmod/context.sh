mkdir -m 0700 tree
mkdir tree/inner
touch tree/file tree/inner/file
