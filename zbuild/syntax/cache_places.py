"""Reads what users write for a remote cache: a folder, `s3://BUCKET/PREFIX`, or a repository of a registry."""

from __future__ import annotations

import os
from urllib.parse import parse_qsl, unquote, urlsplit

from zbuild.base.reference import ReferenceError as BadReferenceError
from zbuild.base.reference import parse_reference
from zbuild.model.caches import CachePlace

_S3_OPTIONS = frozenset({"region", "endpoint"})


def parse_cache_place(text: str, root: str) -> CachePlace:
    """Read a place; a relative folder begins with `.` and is relative to `root`.

    Raises ValueError for what is none.
    """
    if text.startswith("s3://"):
        return _bucket(text)
    if text.startswith(("/", "./", "../")) or text in (".", ".."):
        return folder_place(text, root)
    try:
        reference = parse_reference(text)
    except BadReferenceError as error:
        hint = "write a folder (./cache, /srv/cache), s3://BUCKET/PREFIX, or a repository (registry.example/cache)"
        raise ValueError(f"'{text}' is no place for a cache ({error}); {hint}") from None
    if not reference.domain:
        raise ValueError(f"'{text}' names no registry; write a folder as ./{text}, a repository as REGISTRY/{text}")
    if reference.tag or reference.digest:
        raise ValueError(f"'{text}' is one image; a cache takes a whole repository: write {reference.name}")
    return CachePlace("registry", reference.name)


def folder_place(text: str, root: str) -> CachePlace:
    """Return the place that a folder is."""
    return CachePlace("folder", os.path.abspath(os.path.join(root, text)))  # noqa: PTH100, PTH118 - links stay


def bucket_place(bucket: str, prefix: str = "", region: str = "", endpoint: str = "") -> CachePlace:
    """Return the place that a bucket is. Raises ValueError for an endpoint that is no http address."""
    if endpoint and (urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).netloc):
        raise ValueError(f"'{endpoint}' is no address; write it like https://s3.example.com")
    if "@" in urlsplit(endpoint).netloc:
        raise ValueError("credentials do not belong into an address; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    return CachePlace("s3", bucket, prefix.strip("/"), region, endpoint.rstrip("/"))


def _bucket(text: str) -> CachePlace:
    parts = urlsplit(text)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(options.keys() - _S3_OPTIONS)
    if unknown:
        raise ValueError(f"'{unknown[0]}' is no setting of a bucket; region and endpoint are")
    if not parts.netloc or "@" in parts.netloc:
        raise ValueError(f"'{text}' names no bucket; write s3://BUCKET/PREFIX")
    return bucket_place(parts.netloc, unquote(parts.path), options.get("region", ""), options.get("endpoint", ""))
