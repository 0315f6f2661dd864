"""Options that several commands share, and what they become."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from zbuild.api.options import BuildOptions
from zbuild.cli import values
from zbuild.model.overlay import Overlay

if TYPE_CHECKING:
    from zbuild.api.workspace import Workspace
    from zbuild.cli.session import Session

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)  # what else is set is a path into the build files

Callback: TypeAlias = Callable[..., None]
Decorator: TypeAlias = Callable[[Callback], Callback]


_DIRECTORY = click.option(
    "-C",
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    is_eager=True,  # paths among other options start there
    metavar="DIR",
    help="Start in DIR, as if zbuild were run there; other paths are relative to it.",
)
debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    help="Show a traceback with an error (also: ZBUILD_DEBUG=1).",
)
_COMMON: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "-f",
        "--file",
        "files",
        multiple=True,
        metavar="FILE",
        help="Read this build file instead of zbuild.yaml; given again, lay that file over it.",
    ),
    _DIRECTORY,
    click.option(
        "--profile",
        "profiles",
        callback=values.profiles,
        multiple=True,
        metavar="NAME",
        help="Lay this profile over the build files (also: ZBUILD_PROFILE).",
    ),
    click.option(
        "--set",
        "settings",
        callback=values.pairs,
        multiple=True,
        metavar="NAME=VALUE",
        help="Set a variable (`vars`), or a path: images.api.tags+=x, 'images.*.retries=2'.",
    ),
    debug_option,
)

# Named as the fields of BuildOptions.
_BUILD: dict[str, Callable[[Any], Any]] = {
    "build_args": click.option(
        "--build-arg",
        "build_args",
        callback=values.pairs_or_environment,
        multiple=True,
        metavar="NAME[=VALUE]",
        help="Set a build argument (ARG); without =VALUE it is taken from the environment.",
    ),
    "contexts": click.option(
        "--build-context",
        "contexts",
        callback=values.contexts,
        multiple=True,
        metavar="NAME=VALUE",
        help="Let NAME in FROM and COPY --from mean a folder, docker-image://REF or target:IMAGE.",
    ),
    "platforms": click.option(
        "--platform",
        "platforms",
        callback=values.platforms,
        multiple=True,
        metavar="OS/ARCH[,...]",
        help="Build for these platforms; several make one image, a list of them.",
    ),
    "labels": click.option(
        "--label",
        "labels",
        callback=values.labels,
        multiple=True,
        metavar="NAME=VALUE",
        help="Put a label on the targets' images.",
    ),
    "annotations": click.option(
        "--annotation",
        "annotations",
        callback=values.pairs,
        multiple=True,
        metavar="NAME=VALUE",
        help="Annotate the manifests of the targets' images.",
    ),
    "squash": click.option("--squash", is_flag=True, help="Make one layer of all that is added to the targets' bases."),
    "target": click.option("--target", default="", metavar="STAGE", help="Build each image only up to this stage."),
    "backend": click.option(
        "--backend", default="", metavar="NAME", help="The backend to build with (also: ZBUILD_BACKEND)."
    ),
    "pull": click.option(
        "--pull",
        type=click.Choice(values.PULL_POLICIES),
        metavar="[=newer|always|missing|never]",
        show_default="newer",
        help="When to ask again for base images, URLs and branches; alone it means 'always'.",
    ),
    "locked": click.option("--locked", is_flag=True, help="Fail for a base image that zbuild.lock does not hold."),
    "always": click.option("-B", "--always-make", "always", is_flag=True, help="Run every stage, changed or not."),
    "no_cache": click.option(
        "--no-cache",
        "no_cache",
        multiple=True,
        metavar="[=IMAGE[/STAGE]]",
        help="Run an image's stages, or one of them, changed or not; without a value, everything.",
    ),
    "layers": click.option(
        "--layers/--no-layers",
        "layers",
        callback=values.layers,
        default=None,
        help="Keep a checkpoint after every instruction, or none within a stage; by default, where it pays.",
    ),
    "jobs": click.option(
        "-j",
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        show_default="one per core",
        help="Run N stages at once.",
    ),
    "keep_going": click.option(
        "-k", "--keep-going", is_flag=True, help="After a failure build on what does not depend on it."
    ),
    "secrets": click.option(
        "--secret",
        "secrets",
        callback=values.secrets,
        multiple=True,
        metavar="id=NAME[,src=FILE|,env=VARIABLE]",
        help="Give a secret to RUN --mount=type=secret.",
    ),
    "agents": click.option(
        "--ssh",
        "agents",
        callback=values.agents,
        multiple=True,
        metavar="default|ID[=SOCKET|KEYFILE]",
        help="Lend an ssh agent to RUN --mount=type=ssh; without a place it is SSH_AUTH_SOCK's.",
    ),
    "tags": click.option(
        "--tag",
        "tags",
        callback=values.image_names,
        multiple=True,
        metavar="NAME:TAG",
        help="Also give the image this name.",
    ),
    "load": click.option("--load", is_flag=True, help="Then load the images into docker (--output type=docker)."),
    "push": click.option("--push", is_flag=True, help="Then push the targets' tags that name a registry."),
    "provenance": click.option(
        "--provenance", is_flag=True, help="Attach to what is pushed how it was built (SLSA provenance)."
    ),
    "sbom": click.option("--sbom", is_flag=True, help="Attach to what is pushed which packages are in it (CycloneDX)."),
    "attestations": click.option(
        "--attestations",
        type=click.Path(file_okay=False),
        callback=values.folder,
        default="",
        metavar="FOLDER",
        help="Write what --provenance and --sbom make to FOLDER, too.",
    ),
    "reproducible": click.option(
        "--reproducible", is_flag=True, help="Let equal inputs give equal images, down to the digest."
    ),
    "cache_from": click.option(
        "--cache-from",
        "cache_from",
        callback=values.cache_places,
        multiple=True,
        metavar="PLACE",
        help="Use results of this remote cache: a folder, s3://BUCKET/PREFIX, or a registry's repository.",
    ),
    "cache_to": click.option(
        "--cache-to",
        "cache_to",
        callback=values.cache_places,
        multiple=True,
        metavar="PLACE",
        help="Bring results to this remote cache.",
    ),
    "cache_ttl": click.option(
        "--cache-ttl", callback=values.age, metavar="AGE", help="Use no results of remote caches older than this: 7d."
    ),
    "cache_read_only": click.option(
        "--cache-read-only", is_flag=True, help="Bring nothing to remote caches, whatever the build files say."
    ),
    "outputs": click.option(
        "-o",
        "--output",
        "outputs",
        callback=values.outputs,
        multiple=True,
        metavar="PATH|type=TYPE[,dest=PATH]",
        help="Also write the image to a place: oci, docker, dir; its files: local (or a bare PATH), tar.",
    ),
    "detect": click.option(
        "--detect", is_flag=True, help="Build contexts without a build file by the recipe their files suggest."
    ),
    "runtime": click.option(
        "--runtime", default="", metavar="NAME", help="Build contexts without a build file by this recipe."
    ),
    "wait": click.option(
        "--no-wait", "wait", flag_value=False, default=True, help="Fail when another build holds the workspace."
    ),
}
IMAGE_OPTIONS = ("labels", "annotations", "squash")
PLAN_OPTIONS = (
    *("build_args", "contexts", "platforms", "target", *IMAGE_OPTIONS),
    *("backend", "pull", "locked", "always", "no_cache"),
    *("cache_from", "cache_to", "cache_ttl", "cache_read_only", "reproducible", "detect", "runtime"),
)
DOCUMENT_OPTIONS = ("provenance", "sbom", "attestations")
CACHE_OPTIONS = ("build_args", "contexts", "platforms", "backend", "reproducible", "detect", "runtime")


def with_workspace(function: Callback) -> Callback:
    """Add the options all commands share, and hand over the workspace they lead to as `workspace`."""

    @functools.wraps(function)
    def call(find: Callable[[], Workspace], **values: Any) -> None:  # noqa: ANN401 - the command's own options
        function(workspace=find(), **values)

    return with_finder(call)


def with_finder(function: Callback) -> Callback:
    """Add the options all commands share, and hand over, as `find`, what returns the workspace they lead to.

    It raises UsageError when there is none: a command that may do without should not call it.
    """

    @click.pass_obj
    @functools.wraps(function)
    def call(
        session: Session,
        /,
        files: tuple[str, ...],
        directory: Path | None,
        profiles: tuple[str, ...],
        settings: tuple[tuple[str, str], ...],
        **values: Any,  # noqa: ANN401 - whatever the command's own options are
    ) -> None:
        if directory is not None:
            session.directory = session.directory / directory
        variables = {name: text for name, text in settings if _VARIABLE.fullmatch(name)}
        paths = tuple(f"{name}={text}" for name, text in settings if not _VARIABLE.fullmatch(name))
        overlay = Overlay(files=files[1:], profiles=profiles, settings=paths)
        file = files[0] if files else ""
        function(find=lambda: session.open(file=file, variables=variables, overlay=overlay), **values)

    return _decorated(call, _COMMON)


def with_directory(function: Callback) -> Callback:
    """Add -C and --debug, and hand over the session, which starts in that folder, to a command without a workspace."""

    @click.pass_obj
    @functools.wraps(function)
    def call(session: Session, /, directory: Path | None, **values: Any) -> None:  # noqa: ANN401 - as above
        if directory is not None:
            session.directory = session.directory / directory
        session.root = session.directory
        function(session=session, **values)

    return _decorated(call, (_DIRECTORY, debug_option))


def with_build_options(*names: str) -> Decorator:
    """Add the named options of a build, and hand them over together as `options`, a BuildOptions."""

    def decorate(function: Callback) -> Callback:
        @functools.wraps(function)
        def call(**values: Any) -> None:  # noqa: ANN401 - likewise
            chosen = {name: value for name in names if (value := values.pop(name)) is not None}
            function(options=BuildOptions(**chosen), **values)

        return _decorated(call, [_BUILD[name] for name in names])

    return decorate


def build_options(*names: str) -> Decorator:
    """Add the named options of a build as they are, for a command that builds nothing."""
    return lambda function: _decorated(function, [_BUILD[name] for name in names])


def format_option(*formats: str) -> Callable[[Any], Any]:
    """Return the option `--format`; the first one is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="How to print it.",
    )


def examples(*lines: str) -> str:
    """Return an epilog that shows command lines as they are written."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def _decorated(function: Callback, options: Any) -> Callback:  # noqa: ANN401 - click's decorators have no narrower type
    for option in reversed(options):
        function = option(function)
    return function
