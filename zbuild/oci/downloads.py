"""Blobs from a registry: streamed, verified, and taken up again where the connection broke off."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from zbuild.oci.faults import DamagedError
from zbuild.oci.messages import Request
from zbuild.oci.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.oci.hosts import Place
    from zbuild.oci.transport import Transport

CHUNK = 1 << 18
_OK, _PARTIAL = 200, 206
_FROM = re.compile(r"bytes (\d+)-")


class Download:
    """One blob on its way; `size` -1 is one that is not known beforehand."""

    def __init__(self, transport: Transport, place: Place, digest: str, size: int, scopes: tuple[str, ...]) -> None:
        self._transport = transport
        self._digest = digest
        self._size = size
        self._received = 0
        self._request = Request(
            *(
                "GET",
                place,
                f"/v2/{place.path}/blobs/{digest}",
                f"cannot fetch {digest[:19]} of {place.domain}/{place.path}",
            ),
            expect=(_OK, _PARTIAL),
            scopes=scopes,
        )

    def chunks(self) -> Iterator[bytes]:
        """Yield the content. Raises RegistryError; DamagedError after the last chunk when it was the wrong content."""
        hasher = hashlib.sha256()
        patience = self._transport.patience()
        while True:
            try:
                for chunk in self._rest():
                    hasher.update(chunk)
                    patience.renew()
                    yield chunk
            except TransientError as error:
                patience.wait(error)
            else:
                break
        found = f"sha256:{hasher.hexdigest()}"
        if found != self._digest or self._size not in (-1, self._received):
            raise DamagedError(
                "registry-damaged", f"{self._request.what}: what comes is {found}, {self._received} bytes"
            )

    def _rest(self) -> Iterator[bytes]:
        """Yield what has not been received yet. Raises TransientError when it breaks off."""
        headers = {"Range": f"bytes={self._received}-"} if self._received else {}
        request = Request(
            *("GET", self._request.place, self._request.url, self._request.what),
            expect=self._request.expect,
            headers=headers,
            scopes=self._request.scopes,
        )
        with self._transport.attempt(request) as response:
            begin = _FROM.match(response.headers.get("Content-Range", ""))
            if response.status == _PARTIAL and (not begin or int(begin[1]) != self._received):
                raise DamagedError(
                    "registry-failed", f"{request.what}: the registry sends another part than was asked for"
                )
            skip = self._received if response.status == _OK else 0
            while chunk := self._transport.read(request, response, CHUNK):
                new = chunk[skip:]
                skip = max(0, skip - len(chunk))
                self._received += len(new)
                if new:
                    yield new
            if self._size > self._received:
                raise TransientError(
                    "registry-broke-off", f"{request.what}: {self._size - self._received} bytes are missing"
                )
