"""The client of registries: manifests, blobs, tags and referrers, by the OCI distribution spec.

It imports urllib3: import it where a registry is spoken to, not where that is only possible.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from zbuild.base.errors import RegistryError
from zbuild.oci.documents import decode_json
from zbuild.oci.downloads import Download
from zbuild.oci.faults import DamagedError, NotInRegistryError
from zbuild.oci.layout import sha256_digest
from zbuild.oci.manifest import read_manifest
from zbuild.oci.media import MANIFESTS, OCI_INDEX, OCI_MANIFEST, Descriptor
from zbuild.oci.messages import Request
from zbuild.oci.mirrors import Mirrors
from zbuild.oci.platforms import choose
from zbuild.oci.referrers import EMPTY, attachment_manifest, fallback_tag, of_type, referrers_index
from zbuild.oci.retries import Limits
from zbuild.oci.transport import Transport
from zbuild.oci.uploads import Upload, bytes_opener, push_scopes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

    from zbuild.base.platform import Platform
    from zbuild.base.reference import Reference
    from zbuild.oci.credentials import FindCredentials
    from zbuild.oci.hosts import Hosts, Place
    from zbuild.oci.manifest import Manifest
    from zbuild.oci.messages import Answer
    from zbuild.oci.referrers import Attachment

_PAGE = 1000
_RACES = 5  # times that a list which others write to, too, is written before it is given up
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


class Registry:
    """Speaks to whatever registry a reference names, from any thread; close it by `with`.

    References are in full (`normalise`). All methods raise RegistryError for what is refused or cannot be reached, its
    kinds NotInRegistryError and DamagedError among them, and InterruptedBuildError after `close`.
    """

    def __init__(self, hosts: Hosts, credentials: FindCredentials, limits: Limits | None = None) -> None:
        self._hosts = hosts
        self._mirrors = Mirrors(hosts)
        self._transport = Transport(hosts, credentials, limits or Limits())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what waits for a registry, in any thread, and refuse what is asked later."""
        self._transport.close()

    def ping(self, reference: Reference) -> None:
        """Ask whether the registry of a reference is there and takes this user."""
        place = self._hosts.place(reference)
        self._transport.call(Request("GET", place, "/v2/", f"cannot ask {place.domain}"))

    def head_manifest(self, reference: Reference, accept: Sequence[str] = MANIFESTS) -> Descriptor:
        """Return what a tag or digest stands for, without fetching it."""
        answer = self._read_manifest("HEAD", reference, accept)
        digest = answer.headers.get("docker-content-digest") or reference.digest
        length = answer.headers.get("content-length", "")
        if not digest or not length.isdecimal():  # registries need not tell them
            return self.manifest(reference, accept).descriptor()
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
        return Descriptor(media_type, digest, int(length))

    def manifest(self, reference: Reference, accept: Sequence[str] = MANIFESTS) -> Manifest:
        """Return a manifest or index as it is, verified against the digest that is known of it."""
        answer = self._read_manifest("GET", reference, accept)
        found = read_manifest(answer.body, answer.headers.get("content-type", ""))
        wanted = reference.digest or answer.headers.get("docker-content-digest") or found.digest
        if found.digest != wanted:
            raise DamagedError(
                "registry-damaged", f"cannot read {reference}: what comes is {found.digest}, not {wanted}"
            )
        return found

    def resolve(self, reference: Reference, platform: Platform) -> str:
        """Return the digest of the image for a platform that a tag or digest stands for.

        An image that is no index is taken as it is. Raises NotInRegistryError when an index has none for the platform.
        """
        found = self.manifest(reference)
        return self.choose(found, reference, platform) if found.is_index else found.digest

    def choose(self, index: Manifest, reference: Reference, platform: Platform) -> str:
        """Return the digest of the image for a platform that an index lists; `reference` is what it stands under.

        Raises NotInRegistryError when it has none.
        """
        entries = _entries(index, f"cannot read {reference}")
        chosen = choose(entries, platform)
        if chosen is None:
            there = ", ".join(sorted({str(entry.platform) for entry in entries if entry.platform}))
            message = f"{reference} is not there for {platform}"
            raise NotInRegistryError("wrong-platform", message, hint=f"it is there for {there}" if there else "")
        return chosen.digest

    def put_manifest(self, reference: Reference, raw: bytes, media_type: str) -> str:
        """Put a manifest under a tag, or under its own digest when there is none; return the digest."""
        self._put(reference, raw, media_type)
        return sha256_digest(raw)

    def delete_manifest(self, reference: Reference) -> None:
        """Delete what a digest stands for; many registries refuse."""
        place = self._hosts.place(reference)
        url, what = f"/v2/{place.path}/manifests/{reference.digest or reference.tag}", f"cannot delete {reference}"
        scopes = (f"repository:{place.path}:delete,pull",)
        self._transport.call(Request("DELETE", place, url, what, (200, 202, 204), scopes=scopes))

    def has_blob(self, repository: Reference, digest: str) -> bool:
        """Tell whether a repository has a blob."""
        place = self._hosts.place(repository)
        what = f"cannot look for {digest[:19]} in {repository.name}"
        request = Request("HEAD", place, f"/v2/{place.path}/blobs/{digest}", what, scopes=_pull_scopes(place))
        try:
            self._transport.call(request)
        except NotInRegistryError:
            return False
        return True

    def blob(self, repository: Reference, digest: str, size: int = -1) -> Iterator[bytes]:
        """Yield a blob's content, resumed where a connection breaks off.

        It is known to be right only once all of it has come: DamagedError is raised after the last chunk.
        """
        place = self._hosts.place(repository)
        return Download(self._transport, place, digest, size, _pull_scopes(place)).chunks()

    def upload_blob(
        self,
        repository: Reference,
        digest: str,
        size: int,
        open_blob: Callable[[], IO[bytes]],
        *,
        chunk: int = 0,
        mount: str = "",
    ) -> None:
        """Send a blob that the repository may lack; `open_blob` opens its content, for every attempt anew.

        `chunk` is how many bytes go in a request, 0 for all; `mount` the path of a repository of the same registry that
        has the blob.
        """
        place = self._hosts.place(repository)
        Upload(self._transport, place, digest, size, open_blob, chunk=chunk, mount=mount).run()

    def put_blob(self, repository: Reference, data: bytes) -> str:
        """Send a small blob, unless the repository has it; return its digest."""
        digest = sha256_digest(data)
        if not self.has_blob(repository, digest):
            self.upload_blob(repository, digest, len(data), bytes_opener(data))
        return digest

    def mount_blob(self, repository: Reference, digest: str, source: str) -> bool:
        """Let a repository have a blob of another one, by its path, of the same registry; False when it may not."""
        place = self._hosts.place(repository)
        query = urlencode({"mount": digest, "from": source})
        what = f"cannot mount {digest[:19]} in {repository.name}"
        request = Request(
            *("POST", place, f"/v2/{place.path}/blobs/uploads/?{query}", what, (201, 202)),
            scopes=push_scopes(place, source),
        )
        return self._transport.call(request).status == 201  # noqa: PLR2004 - "created"; 202 opens an upload

    def tags(self, repository: Reference) -> tuple[str, ...]:
        """Return all tags of a repository."""
        place = self._hosts.place(repository)
        what = f"cannot list the tags of {repository.name}"
        pages = self._pages(place, f"/v2/{place.path}/tags/list?n={_PAGE}", what)
        return tuple(str(tag) for page in pages for tag in _object(page, what).get("tags") or ())

    def referrers(self, reference: Reference, artifact_type: str = "") -> tuple[Descriptor, ...]:
        """Return what is attached to an image, which the reference names by its digest."""
        place = self._hosts.place(reference)
        query = f"?{urlencode({'artifactType': artifact_type})}" if artifact_type else ""
        what = f"cannot list what is attached to {reference}"
        try:
            pages = list(self._pages(place, f"/v2/{place.path}/referrers/{reference.digest}{query}", what))
        except NotInRegistryError:  # a registry that does not list them
            return of_type(self._tagged_referrers(reference), artifact_type)
        return of_type([entry for page in pages for entry in _entries(read_manifest(page.body), what)], artifact_type)

    def attach(self, subject: Descriptor, repository: Reference, attachment: Attachment) -> Descriptor:
        """Attach a blob to an image that a repository has; return what names the attachment."""
        blob, config = (self.put_blob(repository, data) for data in (attachment.data, EMPTY))
        raw = attachment_manifest(attachment, subject, blob, config)
        answer = self._put(replace(repository, tag="", digest=""), raw, OCI_MANIFEST)
        entry = replace(
            read_manifest(raw).descriptor(),
            artifact_type=attachment.artifact_type,
            annotations=attachment.annotations,
        )
        if answer.headers.get("oci-subject") != subject.digest:
            self._tag_referrer(replace(repository, tag="", digest=subject.digest), entry)
        return entry

    def _tag_referrer(self, subject: Reference, entry: Descriptor) -> None:
        """Add to the list of a registry that keeps none itself; another client may do so at the same moment."""
        tagged = replace(subject, tag=fallback_tag(subject.digest), digest="")
        for _ in range(_RACES):
            listed = self._tagged_referrers(subject)
            if any(one.digest == entry.digest for one in listed):
                return
            self._put(tagged, referrers_index([*listed, entry]), OCI_INDEX)
        raise RegistryError("registry-busy", f"cannot attach to {subject}: others attach at the same time")

    def _tagged_referrers(self, subject: Reference) -> tuple[Descriptor, ...]:
        tagged = replace(subject, tag=fallback_tag(subject.digest), digest="")
        try:
            found = self.manifest(tagged)
        except NotInRegistryError:
            return ()
        return _entries(found, f"cannot list what is attached to {subject}")

    def _put(self, reference: Reference, raw: bytes, media_type: str) -> Answer:
        place, digest = self._hosts.place(reference), sha256_digest(raw)
        if reference.digest not in ("", digest):
            raise DamagedError("registry-damaged", f"cannot push {reference}: the manifest is {digest}")
        request = Request(
            *("PUT", place, f"/v2/{place.path}/manifests/{quote(reference.tag) or digest}", f"cannot push {reference}"),
            expect=(200, 201, 202),
            headers={"Content-Type": media_type},
            body=bytes_opener(raw),
            size=len(raw),
            scopes=push_scopes(place),
        )
        answer = self._transport.call(request)
        told = answer.headers.get("docker-content-digest", digest)
        if told != digest:
            raise DamagedError("registry-damaged", f"{request.what}: the registry made {told} of {digest}")
        return answer

    def _read_manifest(self, method: str, reference: Reference, accept: Sequence[str]) -> Answer:
        def request(place: Place) -> Request:
            wanted = reference.digest or quote(reference.tag or "latest")
            return Request(
                *(method, place, f"/v2/{place.path}/manifests/{wanted}", f"cannot read {reference}"),
                headers={"Accept": ", ".join(accept)},
                scopes=_pull_scopes(place),
            )

        return self._mirrors.first(
            reference,
            lambda place: self._transport.call(request(place)),
            lambda place: self._transport.call_once(request(place)),
        )

    def _pages(self, place: Place, url: str, what: str) -> Iterator[Answer]:
        """Yield the answers that hold a list, following `Link` (RFC 8288)."""
        seen = set()
        while url and url not in seen:
            seen.add(url)
            answer = self._transport.call(Request("GET", place, url, what, scopes=_pull_scopes(place)))
            yield answer
            following = _NEXT.search(answer.headers.get("link", ""))
            url = following[1] if following else ""


def _entries(index: Manifest, what: str) -> tuple[Descriptor, ...]:
    try:
        return index.entries()
    except ValueError as error:
        raise DamagedError("registry-damaged", f"{what}: {error}") from None


def _pull_scopes(place: Place) -> tuple[str, ...]:
    return (f"repository:{place.path}:pull",)


def _object(answer: Answer, what: str) -> dict[str, Any]:
    try:
        return decode_json(answer.body)
    except ValueError as error:
        raise DamagedError("registry-damaged", f"{what}: the answer is {error}") from None
