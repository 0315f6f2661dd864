"""What the registry client reads before it asks anybody: credentials, registries.conf, challenges, platforms."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from zbuild.base.errors import InterruptedBuildError, UsageError
from zbuild.base.platform import Platform
from zbuild.base.reference import normalise
from zbuild.oci.auth import Challenge, parse_challenges
from zbuild.oci.credentials import CredentialFiles, Credentials
from zbuild.oci.hosts import Hosts, Place
from zbuild.oci.manifest import read_manifest
from zbuild.oci.media import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Descriptor, descriptor_from_json
from zbuild.oci.platforms import choose
from zbuild.oci.retries import Limits, Patience, Stop, TransientError

if TYPE_CHECKING:
    from pathlib import Path


def encoded(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def finder(folder: Path, content: dict[str, object], told: dict[tuple[str, str], str] | None = None) -> CredentialFiles:
    (folder / "auth.json").write_text(json.dumps(content))

    def run_helper(argv: tuple[str, ...], stdin: bytes) -> str | None:
        return (told or {}).get((argv[0], stdin.decode()))

    return CredentialFiles({"REGISTRY_AUTH_FILE": str(folder / "auth.json")}, run_helper)


def test_the_most_telling_credentials_are_taken(tmp_path: Path) -> None:
    auths = {"r.example": encoded("all", "1"), "r.example/team": encoded("team", "2"), "r.example/team/a": {}}
    find = finder(tmp_path, {"auths": auths}).find
    assert find("r.example", "team/a") == Credentials("team", "2")
    assert find("r.example", "teams/a") == Credentials("all", "1")
    assert find("other.example", "team/a") is None


@pytest.mark.parametrize("key", ["docker.io", "https://index.docker.io/v1/", "index.docker.io", "index.docker.io/v1"])
def test_docker_hub_has_many_names(tmp_path: Path, key: str) -> None:
    assert finder(tmp_path, {"auths": {key: encoded("u", "p:q")}}).find("docker.io", "library/x") == Credentials(
        "u", "p:q"
    )


def test_helpers_are_asked(tmp_path: Path) -> None:
    answer = json.dumps({"Username": "u", "Secret": "s"})
    token = json.dumps({"Username": "<token>", "Secret": "t"})
    told = {
        ("docker-credential-one", "r.example"): answer,
        ("docker-credential-all", "https://index.docker.io/v1/"): token,
        ("docker-credential-all", "odd.example"): "credentials not found in native keychain",
    }
    content = {"credHelpers": {"r.example": "one"}, "credsStore": "all", "auths": {"odd.example": encoded("o", "p")}}
    find = finder(tmp_path, content, told).find
    assert find("r.example", "x") == Credentials("u", "s")
    assert find("docker.io", "library/x") == Credentials("<token>", identity_token="t")  # noqa: S106 - of no registry
    assert find("odd.example", "x") == Credentials("o", "p")


def test_the_users_files_are_searched_in_order(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    places = {"run/containers": "podman's", ".config/containers": "login's", ".docker": "docker's"}
    names = {"run/containers": "auth.json", ".config/containers": "auth.json", ".docker": "config.json"}
    for number, (place, user) in enumerate(places.items()):
        (tmp_path / place).mkdir(parents=True)
        auths = {f"{n}.example": encoded(user, "p") for n in range(number, 3)}
        (tmp_path / place / names[place]).write_text(json.dumps({"auths": auths}))
    files = CredentialFiles(environment, lambda *_: None)
    users = [found.user for n in range(3) if (found := files.find(f"{n}.example", "x"))]
    assert users == ["podman's"] * 3
    (tmp_path / "run/containers/auth.json").unlink()
    files = CredentialFiles(environment, lambda *_: None)
    assert [getattr(files.find(f"{n}.example", "x"), "user", "") for n in range(3)] == ["", "login's", "login's"]


def test_a_broken_file_of_credentials_is_named(tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_text("{")
    files = CredentialFiles({"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}, lambda *_: None)
    with pytest.raises(UsageError, match=r"auth\.json holds no JSON"):
        files.find("r.example", "x")


def test_credentials_are_not_shown() -> None:
    assert "secret" not in repr(Credentials("u", "secret", "secret"))


CONF = """
[[registry]]
prefix = "old.example/team"
location = "new.example/moved"
[[registry]]
location = "plain.example:5000"
insecure = true
[[registry]]
prefix = "*.lab.example"
insecure = true
[[registry]]
location = "bad.example"
blocked = true
"""


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    (tmp_path / "registries.conf").write_text(CONF)
    return Hosts.read({"CONTAINERS_REGISTRIES_CONF": str(tmp_path / "registries.conf"), "HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("ubuntu", Place("docker.io", "registry-1.docker.io", "library/ubuntu")),
        ("r.example:5000/a/b:1", Place("r.example:5000", "r.example:5000", "a/b")),
        ("old.example/team/a", Place("new.example", "new.example", "moved/a")),
        ("old.example/teams/a", Place("old.example", "old.example", "teams/a")),
        ("plain.example:5000/a", Place("plain.example:5000", "plain.example:5000", "a", insecure=True)),
        ("x.lab.example/a", Place("x.lab.example", "x.lab.example", "a", insecure=True)),
        ("localhost:5000/a", Place("localhost:5000", "localhost:5000", "a", insecure=True)),
    ],
)
def test_registries_are_where_the_settings_say(hosts: Hosts, text: str, place: Place) -> None:
    assert hosts.place(normalise(text)) == place


MIRRORS = """
[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "mirror.example/hub"
[[registry.mirror]]
location = "127.0.0.1:5000"
pull-from-mirror = "digest-only"
"""


def test_mirrors_are_where_the_settings_say(tmp_path: Path) -> None:
    (tmp_path / "r.conf").write_text(MIRRORS)
    hosts = Hosts.read({"CONTAINERS_REGISTRIES_CONF": str(tmp_path / "r.conf")})
    first = Place("mirror.example", "mirror.example", "hub/library/ubuntu")
    second = Place("127.0.0.1:5000", "127.0.0.1:5000", "library/ubuntu", insecure=True)
    assert hosts.mirrors(normalise("ubuntu:22.04")) == (first,)
    assert hosts.mirrors(normalise(f"ubuntu@sha256:{'a' * 64}")) == (first, second)
    assert hosts.mirrors(normalise("r.example/ubuntu")) == ()
    assert hosts.place(normalise("ubuntu")).host == "registry-1.docker.io"


def test_a_blocked_registry_is_not_asked(hosts: Hosts) -> None:
    with pytest.raises(UsageError, match=r"registries\.conf blocks bad\.example"):
        hosts.place(normalise("bad.example/a"))


def test_settings_that_are_no_toml_are_named(tmp_path: Path) -> None:
    (tmp_path / "r.conf").write_text("[[registry]")
    with pytest.raises(UsageError, match=r"r\.conf is not TOML"):
        Hosts.read({"CONTAINERS_REGISTRIES_CONF": str(tmp_path / "r.conf")})


def test_challenges_are_read() -> None:
    header = (
        'Bearer realm="https://auth.example/token?a=b, c",service="r \\"x\\"",scope="repository:a:pull", Basic realm=z'
    )
    bearer = {"realm": "https://auth.example/token?a=b, c", "service": 'r "x"', "scope": "repository:a:pull"}
    assert parse_challenges([header]) == (Challenge("bearer", bearer), Challenge("basic", {"realm": "z"}))
    assert parse_challenges(["Negotiate", "Basic"]) == (Challenge("negotiate", {}), Challenge("basic", {}))
    assert parse_challenges(["", '="', ","]) == ()


def entry(text: str, digest: str = "") -> Descriptor:
    return Descriptor(OCI_MANIFEST, digest or text, 1, Platform(*text.split("/")))


@pytest.mark.parametrize(
    ("there", "wanted", "chosen"),
    [
        ("linux/amd64 linux/arm64/v8", "linux/arm64", "linux/arm64/v8"),
        ("linux/arm64", "linux/arm64/v8", "linux/arm64"),
        ("linux/arm/v5 linux/arm/v6", "linux/arm/v7", "linux/arm/v6"),
        ("linux/arm/v7 linux/arm/v8", "linux/arm/v7", "linux/arm/v7"),
        ("linux/amd64 linux/amd64/v3", "linux/amd64", "linux/amd64"),
        ("windows/amd64 linux/amd64", "linux/amd64", "linux/amd64"),
        ("windows/amd64", "linux/amd64", None),
        ("linux/arm/v8", "linux/arm/v7", None),
        ("unknown/unknown", "linux/amd64", None),
    ],
)
def test_the_nearest_platform_is_chosen(there: str, wanted: str, chosen: str | None) -> None:
    found = choose([entry(text) for text in there.split()], Platform(*wanted.split("/")))
    assert (found.digest if found else None) == chosen


def test_among_equals_the_first_counts() -> None:
    found = choose([entry("linux/amd64", "a"), entry("linux/amd64", "b")], Platform("linux", "amd64"))
    assert found is not None
    assert found.digest == "a"


@pytest.mark.parametrize(
    ("document", "told", "found"),
    [
        ({"mediaType": DOCKER_MANIFEST}, "text/plain", DOCKER_MANIFEST),
        ({"layers": []}, "", OCI_MANIFEST),
        ({"manifests": []}, "application/json", OCI_INDEX),
        ({"manifests": []}, f"{DOCKER_LIST}; charset=utf-8", DOCKER_LIST),
    ],
)
def test_a_manifest_shows_what_it_is(document: dict[str, object], told: str, found: str) -> None:
    assert read_manifest(json.dumps(document).encode(), told).media_type == found


def test_a_descriptor_survives_the_way() -> None:
    made = Descriptor(OCI_MANIFEST, "sha256:1", 3, Platform("linux", "arm", "v7"), (("a", "b"),), "x/y")
    assert descriptor_from_json(json.loads(json.dumps(made.to_json()))) == made
    with pytest.raises(ValueError, match="a descriptor is not well formed"):
        descriptor_from_json({"digest": "sha256:1"})


def test_patience_grows_and_ends() -> None:
    waited: list[float] = []

    class Fast(Stop):
        def sleep(self, seconds: float) -> None:
            waited.append(seconds)

    patience = Patience(Limits(patience=1000, pause=1, longest=4), Fast())
    fault = TransientError("x", "later")
    for _ in range(5):
        patience.wait(fault)
    assert [round(seconds / 1.26) <= limit for seconds, limit in zip(waited, (1, 2, 4, 4, 4), strict=True)] == [
        True
    ] * 5
    assert waited[0] < waited[1] < waited[2]
    fault.after = 2000
    with pytest.raises(TransientError):
        patience.wait(fault)


def test_what_is_stopped_waits_no_more() -> None:
    stop = Stop()
    stop.set()
    with pytest.raises(InterruptedBuildError):
        Patience(Limits(), stop).wait(TransientError("x", "later"))
