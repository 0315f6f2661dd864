mkdir -p tree/inner
touch tree/file tree/inner/file
ln -s file tree/link
