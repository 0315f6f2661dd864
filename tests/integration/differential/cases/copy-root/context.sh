mkdir -p tree/etc tree/new
echo extra > tree/etc/extra
echo hosts > tree/etc/mine
chmod 0700 tree
