touch a b
mkdir tree other
touch tree/t other/o
