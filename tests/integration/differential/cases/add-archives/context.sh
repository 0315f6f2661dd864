mkdir -p tree/sub
echo a > tree/a
echo b > tree/sub/b
chmod 0700 tree/sub
ln -s a tree/link

tar --numeric-owner --owner=12 --group=34 -C tree -cf plain.tar .
tar --numeric-owner -C tree -czf gzip.tar.gz a sub
tar --numeric-owner -C tree -cjf bzip2.tgz link a
tar --numeric-owner -C tree -cJf xz.txt sub
