mkdir tree
mkfifo -m 0640 tree/fifo
