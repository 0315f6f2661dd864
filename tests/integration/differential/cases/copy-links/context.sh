mkdir -p tree/folder
echo x > tree/folder/inside
echo y > tree/file
ln -s file tree/to-file
ln -s folder tree/to-folder
ln -s nowhere tree/dangling
ln -s ../../../etc/passwd tree/outside
ln -s /tree/file tree/absolute
ln -s . tree/self
ln -s tree/to-file chain
