echo text > text.tar
echo packed | gzip -n > packed.gz
touch empty.tar
printf 'PK\003\004 not really' > zip.zip
mkdir folder
echo x > x
tar -cf folder/inside.tar x
