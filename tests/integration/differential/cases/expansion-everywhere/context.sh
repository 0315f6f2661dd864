echo text > name.txt
