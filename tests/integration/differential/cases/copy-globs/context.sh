touch one
for n in 1 2 3 10; do echo $n > file$n.txt; done
mkdir -p dir1/inner dir2/inner dir3
echo a > dir1/inner/a.c
echo b > dir2/inner/b.c
echo h > dir2/inner/b.h
