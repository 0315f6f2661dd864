mkdir -p .config/.deep .empty
echo a > .a
echo b > b
echo c > .config/.deep/.c
