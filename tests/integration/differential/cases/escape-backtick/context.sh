echo x > 'some\'
echo y > file
