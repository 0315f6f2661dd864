mkdir -p tree/folder
touch tree/file tree/folder/file
ln -s file tree/link
chown -hR 1000:2000 tree
