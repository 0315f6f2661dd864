echo new > file
mkdir folder
echo inner > folder/inner
