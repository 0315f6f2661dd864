echo x > file
