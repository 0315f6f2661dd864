echo x > file
mkdir -p tree
echo y > tree/inner
