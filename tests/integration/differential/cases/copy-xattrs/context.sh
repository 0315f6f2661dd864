mkdir tree
touch tree/file
python3 - <<'EOF'
import os, tarfile
os.setxattr("tree/file", "user.context", b"value")
os.setxattr("tree", "user.folder", b"value")
with tarfile.open("xattrs.tar", "w", format=tarfile.PAX_FORMAT) as tar:
    def add(name, kind, **xattrs):
        info = tarfile.TarInfo(name)
        info.type, info.mode = kind, 0o755
        info.pax_headers = {f"SCHILY.xattr.{key.replace('_', '.')}": value for key, value in xattrs.items()}
        tar.addfile(info)
    add("f", tarfile.REGTYPE, user_a="1")
    add("d", tarfile.DIRTYPE, user_b="2")
    capability = b"\x01\x00\x00\x02\x00\x04\x00\x00" + bytes(12)
    add("cap", tarfile.REGTYPE, security_capability=capability.decode())
EOF
