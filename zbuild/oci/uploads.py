"""Blobs to a registry: in one piece or in several, and taken up again where the registry tells how far it got."""

from __future__ import annotations

import re
from io import BytesIO, RawIOBase
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import urlencode, urljoin

from zbuild.base.errors import RegistryError
from zbuild.oci.faults import NotInRegistryError
from zbuild.oci.messages import Request
from zbuild.oci.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zbuild.oci.hosts import Place
    from zbuild.oci.messages import Answer
    from zbuild.oci.retries import Stop
    from zbuild.oci.transport import Transport

_CREATED, _ACCEPTED, _NO_CONTENT = 201, 202, 204
_END = re.compile(r"(?:bytes=)?0-(\d+)")


class Upload:
    """One blob on its way: `open_blob` opens the content, `size` bytes, for every attempt anew.

    `chunk` is how many bytes go in a request, 0 for all. `mount` is a repository of the same registry that may have
    the blob: then nothing is sent.
    """

    def __init__(
        self,
        transport: Transport,
        place: Place,
        digest: str,
        size: int,
        open_blob: Callable[[], IO[bytes]],
        *,
        chunk: int = 0,
        mount: str = "",
    ) -> None:
        self._transport = transport
        self._place = place
        self._digest = digest
        self._size = size
        self._open = open_blob
        self._chunk = chunk or size
        self._mount = mount
        self._what = f"cannot send {digest[:19]} to {place.domain}/{place.path}"
        self._location = ""
        self._sent = 0

    def run(self) -> bool:
        """Send the blob; False when it was mounted instead. Raises RegistryError, InterruptedBuildError, OSError."""
        patience = self._transport.patience()
        while True:
            try:
                if not self._resume() and self._begin():
                    return False
                while self._size - self._sent > self._chunk:
                    self._send_chunk()
                    patience.renew()
                self._finish()
            except TransientError as error:
                patience.wait(error)
            except NotInRegistryError as error:
                if not self._location:
                    raise
                self._location = ""  # the registry has forgotten the upload
                patience.wait(TransientError(error.code, error.message, hint=error.hint))
            else:
                return True

    def _begin(self) -> bool:
        """Open an upload; True when the blob was mounted."""
        query = f"?{urlencode({'mount': self._digest, 'from': self._mount})}" if self._mount else ""
        answer = self._call("POST", f"/v2/{self._place.path}/blobs/uploads/{query}", (_CREATED, _ACCEPTED))
        self._sent = 0
        if answer.status == _CREATED:
            return True
        self._proceed(answer)
        least = answer.headers.get("oci-chunk-min-length", "")
        self._chunk = max(self._chunk, int(least) if least.isdecimal() else 0)
        return False

    def _resume(self) -> bool:
        """Ask how far an upload got that broke off; False when it has to be begun anew."""
        if not self._location:
            return False
        try:
            answer = self._call("GET", self._location, (_NO_CONTENT,))
        except TransientError:
            raise
        except RegistryError:
            self._location = ""
            return False
        end = _END.fullmatch(answer.headers.get("range", ""))
        self._sent = int(end[1]) + 1 if end and end[1] != "0" else 0  # "0-0" is said of nothing as well as of one byte
        self._proceed(answer)
        return self._sent <= self._size

    def _send_chunk(self) -> None:
        headers = {"Content-Range": f"{self._sent}-{self._sent + self._chunk - 1}"}
        self._proceed(self._call("PATCH", self._location, (_ACCEPTED,), self._chunk, headers))
        self._sent += self._chunk

    def _finish(self) -> None:
        left = self._size - self._sent
        joint = "&" if "?" in self._location else "?"
        headers = {"Content-Range": f"{self._sent}-{self._size - 1}"} if self._sent and left else {}
        url = f"{self._location}{joint}{urlencode({'digest': self._digest})}"
        self._call("PUT", url, (_CREATED, _NO_CONTENT), left, headers)

    def _call(
        self, method: str, url: str, expect: tuple[int, ...], size: int = 0, headers: Mapping[str, str] | None = None
    ) -> Answer:
        begin = self._sent

        def body() -> IO[bytes]:
            return cast("IO[bytes]", _Part(self._open(), begin, size, self._transport.stop))

        more = {"Content-Type": "application/octet-stream"} if size else {}
        return self._transport.call_once(
            Request(
                *(method, self._place, url, self._what, expect),
                headers=more | dict(headers or {}),
                body=body if size else None,
                size=size,
                scopes=push_scopes(self._place, self._mount),
            )
        )

    def _proceed(self, answer: Answer) -> None:
        """Take note of where to go on: each answer may name another place."""
        location = answer.headers.get("location")
        if not location:
            raise RegistryError("registry-failed", f"{self._what}: the registry does not tell where to")
        self._location = urljoin(answer.url, location)


class _Part(RawIOBase):
    """`size` bytes of a file from `begin` on; it is closed with the part."""

    def __init__(self, file: IO[bytes], begin: int, size: int, stop: Stop) -> None:
        super().__init__()
        self._file = file
        self._left = size
        self._stop = stop
        file.seek(begin)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self._stop.check()
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()


def push_scopes(place: Place, mount: str = "") -> tuple[str, ...]:
    """Return the scopes for writing to a repository, and for reading from the one that is mounted from."""
    write = f"repository:{place.path}:pull,push"
    return (write, f"repository:{mount}:pull") if mount else (write,)


def bytes_opener(data: bytes) -> Callable[[], IO[bytes]]:
    """Return what opens bytes as a file."""
    return lambda: BytesIO(data)
