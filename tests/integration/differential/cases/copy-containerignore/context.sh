echo b > .containerignore
echo c > .dockerignore
touch a b c
