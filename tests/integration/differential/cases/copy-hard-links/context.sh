mkdir -p tree/sub
echo x > tree/a
ln tree/a tree/b
ln tree/a tree/sub/c
