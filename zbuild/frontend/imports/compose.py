"""The `build:` sections of Compose files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.frontend.imports.emit import image_name, pairs
from zbuild.frontend.imports.overlay import overlay_service
from zbuild.frontend.imports.secrets import set_compose_secrets
from zbuild.frontend.imports.variables import interpolated
from zbuild.syntax.nodes import Mapping, Scalar

if TYPE_CHECKING:
    from zbuild.frontend.imports.emit import Imported, Yaml
    from zbuild.syntax.nodes import Node

_KNOWN = frozenset(
    {"context", "dockerfile", "dockerfile_inline", "args", "labels", "tags", "target", "platforms", "pull", "no_cache"}
    | {"additional_contexts", "secrets", "ssh"}
)
_DEEPEST = 50


def import_compose(root: Mapping, imported: Imported) -> None:
    """Take over every service that is built; what has no place in a zbuild.yaml is noted."""
    if "include" in root:
        imported.drop("'include'", root.place("include"), "name the files it includes, too")
    services, secrets = root.mapping("services"), root.mapping("secrets")
    profiles: dict[str, list[str]] = {}
    for name, _ in services.items:
        service = _resolved(name, services, imported, 0)
        if service.get("build") is not None and _service(name, service, secrets, imported):
            for profile in service.scalars("profiles") or (Scalar("default"),):
                profiles.setdefault(image_name(profile.text), []).append(image_name(name.text))
    if set(profiles) > {"default"}:  # services of no profile are those that Compose builds unasked
        imported.groups |= {name: members for name, members in profiles.items() if name not in imported.images}


def _resolved(name: Scalar, services: Mapping, imported: Imported, depth: int) -> Mapping:
    """Return a service with what it extends in the same file; what stands in another one is noted."""
    service = services.mapping(name.text)
    extended = service.get("extends")
    if extended is None or depth > _DEEPEST:
        return service
    other = extended if isinstance(extended, Scalar) else None
    if isinstance(extended, Mapping):
        if "file" in extended:
            imported.drop(f"what '{name.text}' extends in another file", service.place("extends"))
            return service
        other = extended.scalar("service")
    if other is None or other.text not in services:
        imported.drop(f"what '{name.text}' extends, which is not there,", service.place("extends"))
        return service
    below = _resolved(other, services, imported, depth + 1)
    if "image" in below and "image" not in service:
        what = f"the tag that '{name.text}' has of '{other.text}', which it extends,"
        imported.drop(what, service.place("extends"), "no two images can have the same")
    inherited = tuple(pair for pair in below.items if pair[0].text != "image")
    return overlay_service(Mapping(inherited, below.span), service)


def _service(name: Scalar, service: Mapping, secrets: Mapping, imported: Imported) -> bool:
    value = interpolated(service.get("build") or Mapping(), imported)
    build = value if isinstance(value, Mapping) else Mapping()
    image: Yaml = {}
    context = value if isinstance(value, Scalar) else build.scalar("context")
    for key, _ in build.items:
        if key.text not in _KNOWN and not key.text.startswith("x-"):
            imported.drop(f"'{key.text}' of service '{name.text}'", key.span)
    inline = build.scalar("dockerfile_inline")
    if not imported.place(image, context, None if inline else build.scalar("dockerfile")):
        return False
    named = interpolated(service.get("image") or Mapping(), imported)
    _set_pairs(image, "build_args", build.get("args"), imported)
    _set_pairs(image, "labels", build.get("labels"), imported)
    platform = interpolated(service.get("platform") or Mapping(), imported)
    image |= {"platforms": _one(platform)} if _one(platform) else {}
    imported.settings(image, build, [*_one(named), *(tag.text for tag in build.scalars("tags"))], "no_cache")
    imported.contexts(image, build.get("additional_contexts"), "service")
    set_compose_secrets(image, build, secrets, imported)
    if inline is not None and not imported.inline(
        image, inline, f"the service '{name.text}', whose 'dockerfile_inline'"
    ):
        return False
    imported.images[image_name(name.text)] = image
    return True


def _one(node: Node) -> list[str]:
    return [node.text] if isinstance(node, Scalar) else []


def _set_pairs(image: Yaml, field: str, node: Node | None, imported: Imported) -> None:
    found = {}
    for name, value in pairs(node):
        if value is None:
            hint = f"give it with --build-arg {name.text}"
            imported.drop(f"'{name.text}', which has no value here,", name.span, hint)
        else:
            found[name.text] = value.text
    imported.pairs(image, field, found)
