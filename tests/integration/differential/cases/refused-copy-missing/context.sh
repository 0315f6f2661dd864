echo x > here
