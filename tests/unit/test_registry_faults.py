from __future__ import annotations

import pytest

from zbuild.backend.buildah import registry_commands
from zbuild.backend.registry_faults import is_busy, registry_error, said
from zbuild.base.loopback import is_loopback

PING = 'pinging container registry r.example: Get "https://r.example/v2/": '


def test_what_buildah_says_loses_its_preface_and_its_log() -> None:
    lines = (
        'time="2026-01-01T00:00:00Z" level=warning msg="Failed, retrying in 2s ... (1/3)"',
        f'Error: pushing image "0123" to "docker://r.example/a:1": {PING}EOF',
    )
    assert said(lines) == f"{PING}EOF"


def test_what_skopeo_says_is_taken_from_its_log() -> None:
    line = r'time="2026-01-01T00:00:00Z" level=fatal msg="pinging: Get \"https://r.example/v2/\": EOF"'
    assert said(('time="x" level=warning msg="again"', line)) == 'pinging: Get "https://r.example/v2/": EOF'


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        ("unauthorized: authentication required", "registry-denied"),
        ("denied: requested access to the resource is denied", "registry-denied"),
        ("uploading manifest 1 to r.example/a: StatusCode: 403, ", "registry-denied"),
        (f"{PING}dial tcp: lookup r.example: no such host", "registry-unknown"),
        (f"{PING}dial tcp 192.0.2.1:443: connect: connection refused", "registry-unreachable"),
        (f"{PING}dial tcp 192.0.2.1:443: i/o timeout", "registry-unreachable"),
        (f"{PING}x509: certificate signed by unknown authority", "registry-tls"),
        (f"{PING}http: server gave HTTP response to HTTPS client", "registry-tls"),
        ("open /var/tmp/x: permission denied", "registry-failed"),
        ("blob sha256:4034 is unknown", "registry-failed"),
    ],
)
def test_causes_have_codes(cause: str, code: str) -> None:
    error = registry_error("cannot push r.example/a:1", "r.example", cause)
    assert (error.code, error.exit_code) == (code, 4)
    assert "r.example/a:1" in error.message
    assert cause in error.message
    assert bool(error.hint) == (code != "registry-failed")


@pytest.mark.parametrize(
    ("cause", "busy"),
    [
        ("received unexpected HTTP status: 503 Service Unavailable", True),
        ("uploading manifest 1 to r.example/a: StatusCode: 429, ", True),
        ("toomanyrequests: pull rate limit", True),
        ("uploading manifest 1 to r.example/a: StatusCode: 403, ", False),
        ("blob sha256:5034 is unknown", False),
    ],
)
def test_only_busy_registries_are_asked_again(cause: str, *, busy: bool) -> None:
    assert is_busy(cause) == busy


def test_a_password_is_no_argument() -> None:
    command = registry_commands.login("r.example", "me", "s3cret", insecure=False)
    assert "s3cret" not in " ".join(command.argv)
    assert command.stdin == b"s3cret"


@pytest.mark.parametrize("insecure", [False, True])
def test_only_loopback_is_pushed_to_without_tls(*, insecure: bool) -> None:
    commands = (
        registry_commands.push("id", "r.example/a:1", "/digest", insecure=insecure),
        registry_commands.upload("/folder", "r.example/a", "sha256:0", insecure=insecure),
        registry_commands.set_tag("r.example/a:1", "r.example/a", "sha256:0", insecure=insecure),
        registry_commands.login("r.example", "me", "x", insecure=insecure),
    )
    assert {any(flag.endswith("tls-verify=false") for flag in command.argv) for command in commands} == {insecure}


@pytest.mark.parametrize(
    ("domain", "loopback"),
    [
        ("localhost:5000", True),
        ("127.0.0.1", True),
        ("[::1]:5000", True),
        ("r.example:5000", False),
        ("10.0.0.1", False),
    ],
)
def test_loopback(domain: str, *, loopback: bool) -> None:
    assert is_loopback(domain) == loopback
