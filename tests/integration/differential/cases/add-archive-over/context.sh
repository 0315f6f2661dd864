mkdir -p tree/sub
echo a > tree/a
echo b > tree/sub/b
chmod 0700 tree/sub
ln -s a tree/link

chmod 0750 tree
tar --numeric-owner --owner=12 --group=34 -C tree -cf tree.tar .
