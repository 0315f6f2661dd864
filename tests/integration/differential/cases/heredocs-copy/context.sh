echo 'hello world' > greeting; echo 'one world' > one; echo 'two $NAME' > two; echo inline > EOF; echo x > file
