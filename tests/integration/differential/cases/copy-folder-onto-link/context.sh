mkdir -p tree/sub
echo a > tree/sub/a
echo b > tree/name
