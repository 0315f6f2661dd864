"""The registry client where it has to show who asks, and where it has to know whom it asks."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from support.registry import PASSWORD, USER, run_registry
from support.token_server import IDENTITY, run_token_registry

from zbuild.base.errors import RegistryError
from zbuild.base.reference import normalise
from zbuild.oci.connections import Trust
from zbuild.oci.credentials import Credentials
from zbuild.oci.hosts import Hosts, Place
from zbuild.oci.registry import Registry
from zbuild.oci.retries import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.token_server import TokenServer

    from zbuild.base.reference import Reference

QUICK = Limits(connect=2, stall=2, patience=1, pause=0.01)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, TokenServer]]:
    with run_token_registry(tmp_path_factory.mktemp("tokens")) as made:
        yield made


@pytest.fixture
def tokens(served: tuple[str, TokenServer]) -> TokenServer:
    served[1].asked.clear()
    served[1].life = 300
    return served[1]


def client_of(credentials: Credentials | None) -> Registry:
    return Registry(Hosts(), lambda *_: credentials, QUICK)


@pytest.mark.parametrize("kind", ["password", "identity"])
def test_a_token_is_got_once_for_each_scope(served: tuple[str, TokenServer], tokens: TokenServer, kind: str) -> None:
    credentials = Credentials(USER, PASSWORD) if kind == "password" else Credentials("", identity_token=IDENTITY)
    reference = normalise(f"{served[0]}/{kind}/a")
    with client_of(credentials) as client:
        for number in range(3):
            digest = client.put_blob(reference, b"%d" % number)
            assert b"".join(client.blob(reference, digest)) == b"%d" % number
        assert client.mount_blob(normalise(f"{served[0]}/{kind}/b"), digest, f"{kind}/a")
    read, write = f"repository:{kind}/a:pull", f"repository:{kind}/a:pull,push"
    assert tokens.asked == [(read,), (write,), (f"repository:{kind}/b:pull,push", read)]


def test_a_token_that_is_over_is_got_anew(served: tuple[str, TokenServer], tokens: TokenServer) -> None:
    tokens.life = -120  # the registry grants a minute
    with client_of(Credentials(USER, PASSWORD)) as client, pytest.raises(RegistryError, match="refuses this user"):
        client.put_blob(normalise(f"{served[0]}/x"), b"1")
    tokens.asked.clear()
    tokens.life = 11  # used for a second, and good for more
    with client_of(Credentials(USER, PASSWORD)) as client:
        client.put_blob(normalise(f"{served[0]}/x"), b"1")
        client._transport._authorizer._passes.clear()
        client.put_blob(normalise(f"{served[0]}/x"), b"2")
    assert tokens.asked == [("repository:x:pull",), ("repository:x:pull,push",)] * 2


@pytest.mark.parametrize("credentials", [None, Credentials(USER, "wrong"), Credentials("", identity_token="wrong")])  # noqa: S106 - of nobody
def test_who_may_not_is_told_so(served: tuple[str, TokenServer], credentials: Credentials | None) -> None:
    with client_of(credentials) as client, pytest.raises(RegistryError, match="refuses this user") as refused:
        client.put_blob(normalise(f"{served[0]}/x"), b"1")
    assert refused.value.code == "registry-denied"
    assert "wrong" not in str(refused.value)


class _Strict(Hosts):
    """Trusts a host on loopback no more than any other, and further CAs only where it is given any."""

    def __init__(self, authorities: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._authorities = authorities

    def place(self, reference: Reference) -> Place:
        return Place(reference.domain, reference.domain, reference.path)

    def trust(self, host: str) -> Trust:
        assert host
        return Trust(authorities=self._authorities)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a registry with TLS, and the file of its certificate, which nobody has signed but itself."""
    folder: Path = tmp_path_factory.mktemp("tls")
    files = str(folder / "certificate.pem"), str(folder / "key.pem")
    made = [
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=tests",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    argv = ["openssl", "req", "-x509", *made, "-out", files[0], "-keyout", files[1]]
    subprocess.run(argv, check=True, capture_output=True)
    with run_registry(folder, tls=files) as address:
        yield address, files[0]


def test_a_certificate_that_nobody_vouches_for_is_refused(secure: tuple[str, str]) -> None:
    reference = normalise(f"{secure[0]}/x")
    with Registry(_Strict(), lambda *_: None, QUICK) as client, pytest.raises(RegistryError) as refused:
        client.put_blob(reference, b"1")
    assert refused.value.code == "registry-tls"
    assert f"/etc/containers/certs.d/{secure[0]}/" in refused.value.hint


def test_a_certificate_that_the_machine_knows_is_taken(secure: tuple[str, str]) -> None:
    reference = normalise(f"{secure[0]}/x")
    with Registry(_Strict((secure[1],)), lambda *_: None, QUICK) as client:
        assert client.has_blob(reference, client.put_blob(reference, b"1"))


def test_a_registry_on_this_machine_may_have_any_certificate(secure: tuple[str, str]) -> None:
    reference = normalise(f"{secure[0]}/x")
    with Registry(Hosts(), lambda *_: None, QUICK) as client:
        assert client.has_blob(reference, client.put_blob(reference, b"2"))


def test_a_registry_without_tls_is_not_asked_when_it_must_have_it(registry: str) -> None:
    with Registry(_Strict(), lambda *_: None, QUICK) as client, pytest.raises(RegistryError) as refused:
        client.put_blob(normalise(f"{registry}/x"), b"1")
    assert refused.value.code == "registry-tls"


def test_no_password_goes_to_an_authorization_server_without_tls(secure: tuple[str, str], tmp_path: Path) -> None:
    with run_token_registry(tmp_path, tls=secure_files(secure)) as (address, server):
        find = lambda *_: Credentials(USER, PASSWORD)  # noqa: E731 - as the client wants it
        with (
            Registry(_Strict((secure[1],)), find, QUICK) as client,
            pytest.raises(RegistryError, match="its authorization server has no TLS"),
        ):
            client.put_blob(normalise(f"{address}/x"), b"1")
        assert server.asked == []


def secure_files(secure: tuple[str, str]) -> tuple[str, str]:
    return secure[1], secure[1].replace("certificate.pem", "key.pem")
