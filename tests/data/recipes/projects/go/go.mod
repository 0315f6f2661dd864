module example.test/shop

go 1.26

require example.test/greet v1.0.0
