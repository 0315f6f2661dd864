mkdir -m 0750 empty empty2
