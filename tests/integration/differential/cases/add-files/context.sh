echo 1 > one
echo 2 > two
echo 3 > 'with space'
mkdir folder
ln -s ../one folder/link
