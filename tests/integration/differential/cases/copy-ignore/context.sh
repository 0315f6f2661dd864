cat > .dockerignore <<'EOF'
# a comment
*.log
**/*.tmp
/root-only
!keep.log
keep/*
!keep/this
*.md
!README*.md
README-secret.md
deep/**/skip
 spaced
docs/
ignored-folder
.dockerignore
EOF
mkdir -p keep deep/a/skip deep/b docs ignored-folder sub
touch a.log keep.log x.tmp sub/y.tmp sub/z.log root-only sub/root-only keep/this keep/that
touch README.md README-secret.md OTHER.md deep/a/skip/file deep/a/file deep/b/file docs/x ignored-folder/x spaced
