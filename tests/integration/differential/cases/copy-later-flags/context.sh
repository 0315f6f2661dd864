mkdir -p sub/deep
touch one sub/deep/file sub/other sub/x.log
mkdir -p lowered
cp -r sub lowered/all
mkdir -p lowered/excluded lowered/parents/sub/deep
cp sub/other lowered/excluded
touch lowered/parents/sub/deep/file lowered/parents/sub/other
rm -r lowered/all
