mkdir tree
ln -s elsewhere tree/link
ln -s elsewhere tree/new
