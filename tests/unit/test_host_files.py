"""The files about the host that a RUN sees."""

from __future__ import annotations

from zbuild.backend.buildah.host_files import container_env, hosts, resolv_conf


def test_hosts_keeps_names_and_adds_the_hosts() -> None:
    text = "# mine\n127.0.0.1   localhost  loc # trailing\n::1 localhost\n\n10.0.0.1\n10.1.1.1 a.b a\n"
    lines = ["127.0.0.1\tlocalhost loc", "::1\tlocalhost", "10.1.1.1\ta.b a"]
    assert hosts(text, "192.0.2.2").splitlines() == [*lines, "192.0.2.2\thost.containers.internal"]
    assert hosts(text, "").splitlines() == lines


def test_hosts_always_knows_localhost() -> None:
    lines = ["10.9.9.9\thost.containers.internal", "127.0.0.1\tlocalhost", "::1\tlocalhost"]
    assert hosts("10.9.9.9 host.containers.internal", "192.0.2.2").splitlines() == lines


def test_resolv_conf_has_the_last_search_and_options() -> None:
    text = """\
# mine
domain corp.example
search a.example b.example
search c.example
nameserver 127.0.0.53
nameserver fe80::1%eth0 # two
options ndots:5
options timeout:2 edns0
sortlist 192.0.2.0
nameserver
"""
    assert resolv_conf(text).splitlines() == [
        "search c.example",
        "nameserver 127.0.0.53",
        "nameserver fe80::1%eth0",
        "options timeout:2 edns0",
    ]
    assert resolv_conf("") == ""


def test_container_env() -> None:
    assert container_env("1.28.2", "n", "i", "localhost/a:1", "d") == (
        '\nengine="buildah-1.28.2"\nname="n"\nid="i"\nimage="localhost/a:1"\nimageid="d"\nrootless=0\n'
    )
