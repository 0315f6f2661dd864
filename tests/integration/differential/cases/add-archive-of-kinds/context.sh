python3 - <<'EOF'
import io, tarfile
with tarfile.open("kinds.tar", "w", format=tarfile.PAX_FORMAT) as tar:
    def add(name, kind=tarfile.REGTYPE, mode=0o644, content=b"", **fields):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.size, info.mtime = kind, mode, len(content), 1
        for field, value in fields.items():
            setattr(info, field, value)
        tar.addfile(info, io.BytesIO(content))
    add("implied/parent/file", content=b"x")
    add("setuid", mode=0o4755, uid=33, gid=50)
    add("sticky", tarfile.DIRTYPE, 0o1777)
    add("sticky/setgid", tarfile.DIRTYPE, 0o2750, uid=1000, gid=1000)
    add("sticky/file", mode=0o600, uid=70000, gid=70001, content=b"y")
    add("hard", tarfile.LNKTYPE, 0o600, linkname="sticky/file", uid=70000, gid=70001)
    add("soft", tarfile.SYMTYPE, linkname="../outside", uid=5, gid=6)
    add("fifo", tarfile.FIFOTYPE, 0o620)
    add("null", tarfile.CHRTYPE, 0o666, devmajor=1, devminor=3)
    add("./dotted//name/", tarfile.DIRTYPE, 0o711)
    add("long/" + 60 * "abc" + "/" + 60 * "def", content=b"long")
    add("na\u00efve name", content=b"z")
    add("twice", content=b"first")
    add("twice", mode=0o755, content=b"second")
EOF
