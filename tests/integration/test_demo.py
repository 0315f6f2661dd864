"""examples/shop does what its README says, with real buildah: the promises of the demo, one test each."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from support.monorepo import Monorepo
from support.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator


SHOP = Path(__file__).parents[2] / "examples/shop"
PROGRAM = "services/cart/src/total.shop"
PRICES = "services/catalog/data/products.tsv"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    made = Storage.create(tmp_path_factory.mktemp("shop-store") / "s")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, store: Storage) -> Monorepo:
    """A copy of the shop, built once."""
    root = tmp_path_factory.mktemp("shop") / "shop"
    shutil.copytree(SHOP, root, ignore=shutil.ignore_patterns(".zbuild", "rootfs"))
    (root / "base/rootfs/bin").mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "busybox", root / "base/rootfs/bin/busybox")
    shop = Monorepo(root, store.environment)
    assert set(shop.plan().values()) == {"run"}
    assert set(shop.build().values()) == {"run"}
    return shop


@pytest.fixture
def shop(built: Monorepo) -> Iterator[Monorepo]:
    """The built shop; a test's changes are taken back, and what they led to built again from the records."""
    before = {name: (built.root / name).read_text() for name in (PROGRAM, PRICES)}
    yield built
    for name, text in before.items():
        built.write(name, text)
    assert "run" not in built.build().values()


def rebuild(shop: Monorepo) -> set[str]:
    """Build; return the stages that ran, having checked that the plan had foreseen them."""
    plan = shop.plan()
    ran = {name for name, action in shop.build().items() if action == "run"}
    must = {name for name, action in plan.items() if action == "run"}
    may = {name for name, action in plan.items() if action == "maybe"}
    assert must <= ran <= must | may
    return ran


def append(shop: Monorepo, name: str, text: str) -> None:
    shop.write(name, (shop.root / name).read_text() + text)


def test_it_has_ten_images_in_a_chain_of_five_and_a_nested_one(built: Monorepo):
    assert len(built.metadata()) == 10 + 1  # the nested one is told of, too
    assert "services/payments/sandbox/0" in built.plan()
    deep = ["base/0", "toolchain/0", "libshop/0", "cart/build", "cart/service", "storefront/0"]
    assert [name for name in built.plan() if name in deep] == deep


def test_a_second_build_has_nothing_to_do(shop: Monorepo):
    assert rebuild(shop) == set()
    assert "10 images up to date" in shop.zbuild("build").stderr


def test_touching_every_file_changes_nothing(shop: Monorepo):
    for path in shop.root.rglob("*"):
        if ".zbuild" not in path.parts:
            os.utime(path, follow_symlinks=False)
    assert rebuild(shop) == set()


def test_a_changed_program_reruns_its_stages_and_who_copies_it(shop: Monorepo):
    append(shop, PROGRAM, ": changed\n")
    assert rebuild(shop) == {"cart/build", "cart/service", "storefront/0"}


def test_a_changed_comment_compiles_and_stops_there(shop: Monorepo):
    append(shop, PROGRAM, "# a comment\n")
    assert rebuild(shop) == {"cart/build"}
    explained = shop.zbuild("explain", "cart").stdout
    assert "cart/service: cached: up to date: cart/build ran again and came out equal (early cutoff)" in explained


def test_changed_prices_reach_all_who_copy_them_and_no_compiler(shop: Monorepo):
    append(shop, PRICES, "4\tspoon\t150\n")
    assert rebuild(shop) == {"catalog/service", "cart/service", "storefront/0", "report/job"}


def test_the_job_runs(built: Monorepo, store: Storage):
    container = store.buildah("from", "--pull-never", built.metadata()["report"]["image_id"])
    assert store.buildah("run", "--isolation", "chroot", container, "report") == "3 products, 44.35 in all"


def test_the_storefront_serves_what_two_services_built(store: Storage, built: Monorepo):
    del built
    with serving(store, "localhost/shop/storefront:1.4.0") as address:
        assert "<title>The shop</title>" in get(address, "/index.html")
        assert '"name":"teapot","price":"24.50"' in get(address, "/cgi-bin/products")
        assert get(address, "/cgi-bin/total?items=1,2,2").strip() == '{"total":"40.10"}'


@contextmanager
def serving(store: Storage, image: str) -> Iterator[str]:
    """Start a container of an image as its users would; gives the address it serves at."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    container = store.buildah("from", "--pull-never", image)
    settings = ["--env", f"PORT={port}", "--env", "LISTEN=127.0.0.1"]
    argv = ["buildah", "run", "--isolation", "chroot", *settings, container, "/usr/bin/serve"]
    process = subprocess.Popen(argv, env=store.environment, start_new_session=True)
    try:
        wait_for(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the server does not answer")


def get(address: str, path: str) -> str:
    with urlopen(f"http://{address}{path}", timeout=10) as answer:
        return answer.read().decode()
