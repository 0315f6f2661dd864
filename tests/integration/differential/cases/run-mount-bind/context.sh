mkdir sub
echo content > sub/file
