echo module > go.mod
echo sums > go.sum
echo 'echo VERSION' > main.go
mkdir docs
echo docs > docs/README.md
printf 'docs\n*.md\n' > .dockerignore
