"""The buildah commands zbuild uses, as pure functions. Flags are those of buildah 1.28, the oldest supported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.backend.command import Command
from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.base.platform import Platform
    from zbuild.model.steps import RunStep

SCRATCH = "scratch"
# Go's garbage collector takes a seventh of a commit's processor time; the process ends before it fills the memory.
_SHORT_LIVED = (("GOGC", "400"),)


@dataclass(frozen=True, slots=True)
class Isolation:
    """How RUN is isolated: `kind` is oci or chroot; `runtime` the OCI runtime's path, "" for chroot."""

    kind: str
    runtime: str = ""

    def flags(self) -> tuple[str, ...]:
        """Return the flags of `buildah run` that ask for it."""
        return ("--isolation", self.kind, *(("--runtime", self.runtime) if self.runtime else ()))

    def __str__(self) -> str:
        return f"{self.kind} isolation with {self.runtime}" if self.runtime else f"{self.kind} isolation"


def info() -> Command:
    """Ask for the storage's places and driver, and the runtime, as JSON."""
    return _buildah("info")


def version() -> Command:
    """Ask for the version, in one line."""
    return _buildah("--version")


def create(name: str, image: str, image_format: str = "oci", platform: Platform | None = None) -> Command:
    """Make a working container of an image id, or of `scratch`, for which alone `platform` is given."""
    flags = ["--pull-never", "--http-proxy=false", "--format", image_format, "--name", name]
    if platform:
        flags += ["--platform", str(platform)]
    return _buildah("from", *flags, image)


def mount(container: str) -> Command:
    """Mount a container's root, and print where."""
    return _buildah("mount", container)


def unmount(container: str) -> Command:
    """Unmount a container's root."""
    return _buildah("umount", container)


def run(
    container: str, step: RunStep, isolation: Isolation, network: str, volumes: Sequence[str], hostname: str = ""
) -> Command:
    """Run a step's command in a container; `volumes` are the flags of its mounts.

    The values of ENV have to stand among the arguments: buildah 1.28 does not take `--env NAME` from its environment.
    """
    flags = [*isolation.flags(), "--network", network, "--workingdir", step.workdir]
    if step.user:
        flags += ["--user", step.user]
    if hostname:
        flags += ["--hostname", hostname]
    settings = tuple(f"{name}={value}" for name, value in (*step.proxies, *step.env))
    for setting in settings:
        flags += ["--env", setting]
    return Command(
        ("buildah", "run", *flags, *volumes, container, "--", *step.argv),
        timeout=step.timeout / 1e9,
        redact=settings,
    )


def commit(container: str, image: str, image_format: str, epoch: int | None = None) -> Command:
    """Commit a container to an image, remove it, and print the image's id; with `epoch`, all times are that one.

    Without the identity label, which would be a change of the user's image.
    """
    flags = ["--rm", "--quiet", "--identity-label=false", "--format", image_format]
    if epoch is not None:
        flags += ["--timestamp", str(epoch)]
    return _buildah("commit", *flags, container, image)


def tag(image_id: str, names: Sequence[str]) -> Command:
    """Give an image more names."""
    return _buildah("tag", image_id, *names)


def create_list(name: str) -> Command:
    """Make an empty list of images of several platforms, and print its id."""
    return _buildah("manifest", "create", name)


def add_to_list(list_id: str, image_id: str) -> Command:
    """Put an image of the store into a list."""
    return _buildah("manifest", "add", list_id, image_id)


def remove_lists(names: Sequence[str]) -> Command:
    """Remove lists, each by all its names, or by its id where it has none.

    `rmi` would take a list's id for that of the image in it that is for this machine.
    """
    return _buildah("manifest", "rm", *names)


def remove_containers(containers: Sequence[str]) -> Command:
    """Remove working containers."""
    return _buildah("rm", *containers)


def remove_images(image_ids: Sequence[str]) -> Command:
    """Remove images with all their names, even where a container was made of them."""
    return _buildah("rmi", "--force", *image_ids)


def pull(reference: str, platform: Platform | None, *, insecure: bool, timeout: float) -> Command:
    """Pull an image, asking the registry even when it is here, and print its id."""
    flags = ["--quiet", "--policy", "always"]
    if platform:
        flags += ["--platform", str(platform)]
    if insecure:
        flags.append("--tls-verify=false")
    return Command(("buildah", "pull", *flags, f"docker://{reference}"), timeout=timeout)


def pull_folder(folder: str) -> Command:
    """Make an image of a folder as the transport `dir` has it, and print its id."""
    return _buildah("pull", "--quiet", f"dir:{folder}")


def export_folder(image_id: str, folder: str) -> Command:
    """Write an image to a folder as the transport `dir` has it, its layers as plain tars."""
    return _buildah("push", "--quiet", "--disable-compression", image_id, f"dir:{folder}")


def config(container: str, flags: Sequence[str]) -> Command:
    """Change a container's configuration."""
    return _buildah("config", *flags, container)


def _buildah(*arguments: str) -> Command:
    return Command(("buildah", *arguments), env=_SHORT_LIVED)
