mkdir tree
echo new > tree/file
echo link > tree/link
