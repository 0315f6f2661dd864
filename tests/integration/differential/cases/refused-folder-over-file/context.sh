mkdir folder; echo x > folder/file
