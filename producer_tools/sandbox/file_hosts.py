"""The two endpoints that take files and give them a public address, as far as they are known.

One is in the provider's documentation and belongs to the API, the other one is in its SDK and belongs to the platform,
which here has the sandbox's own address. Which of them an API token may use is not known, so a test can switch each.
"""

import hashlib
import re
from datetime import datetime, timezone
from http import HTTPStatus
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from aiohttp import BodyPartReader, web
from pydantic import BaseModel, ConfigDict, PrivateAttr

from producer_tools.sandbox.errors import ApiError

API_FILES = "/files/upload"
PLATFORM_FILES = "/api/v1/files/"
HOSTED = "/sandbox/uploads/"
"""Below this path, files that were received can be read."""

_Answer = Literal["works", "no_api", "refused", "failing"]

_LARGEST = 25 * 10**6
_KEPT_SECONDS = 7 * 24 * 3600
_REFUSALS = {
    "no_api": ("no_api", "there is no API for files here"),
    "refused": ("invalid_token", "this token may not store files"),
    "failing": ("api_error", "the storage failed"),
}


class ReceivedFile(NamedTuple):
    """One file that was taken.

    Attributes:
        endpoint: The path that it was sent to.
        name: Its file name, as it was sent.
        content_type: Its media type, as it was sent.
        content: Its bytes.
        url: The address that it was given.
        user_id: The account whose token came with it.
    """

    endpoint: str
    name: str
    content_type: str
    content: bytes
    url: str
    user_id: str


class FileHosts(BaseModel):
    """How the sandbox answers when a file is sent to it. Each attribute can be changed at any time.

    An impossible value raises ``pydantic.ValidationError``, which is a ValueError. Values of both attributes:
    ``works``: the file gets an address. ``no_api``: 404. ``refused``: 401, ``invalid_token``. ``failing``: 500.

    Attributes:
        api: The answer of ``/files/upload``.
        platform: The answer of ``/api/v1/files/``.
    """

    model_config = ConfigDict(strict=True, extra="forbid", validate_assignment=True)

    api: _Answer = "works"
    platform: _Answer = "works"
    _received: dict[str, ReceivedFile] = PrivateAttr(default_factory=dict)

    @property
    def received(self) -> tuple[ReceivedFile, ...]:
        """The files that were taken so far, in order. Files that were refused are not among them."""
        return tuple(self._received.values())

    async def take(self, request: web.Request, user_id: str, now: float) -> dict[str, Any]:
        """Take the file of a multipart request, and return the answer.

        Args:
            request: Has the file in its field ``file``.
            user_id: Who sends it.
            now: Unix seconds.

        Raises:
            ApiError: The endpoint does not work, or the request has no file, or one of more than 25 MB.
        """
        answer = self.api if request.path == API_FILES else self.platform
        if answer in _REFUSALS:
            await request.release()
            raise ApiError(*_REFUSALS[answer])
        try:
            part = await _file_part(request)
            name, content_type = part.filename or "file", part.headers.get("Content-Type", "")
            content = await _content(part)
        except ValueError as error:
            raise ApiError("bad_request", f"the multipart body is broken: {error}") from None
        # Clients escape and resolve other characters in different ways, so only these are the same for all of them.
        path = f"{HOSTED}{len(self._received) + 1}/{re.sub(r'[^A-Za-z0-9.-]+|^[.]+', '_', name)}"
        url = f"{request.scheme}://{request.host}{path}"
        self._received[path] = ReceivedFile(request.path, name, content_type, content, url, user_id)
        if request.path == PLATFORM_FILES:
            return {"url": url}
        expires_at = datetime.fromtimestamp(now + _KEPT_SECONDS, timezone.utc).isoformat()
        return {"success": True, "url": url, "expires_at": expires_at}

    async def serve(self, request: web.Request) -> web.Response:
        """Answer a GET of a file that was taken.

        Raises:
            ApiError: ``no_api``: there is none.
        """
        file = self._at(request.rel_url.raw_path)
        return web.Response(body=file.content, headers={"Content-Type": file.content_type})

    def seed(self, audio_url: str) -> str:
        """What decides the music that stands for the audio behind a URL: the content, if it was sent to the sandbox.

        Raises:
            ApiError: ``bad_request``: the URL is that of a file which the sandbox does not have.
        """
        path = urlsplit(audio_url).path
        if not path.startswith(HOSTED):
            return audio_url
        try:
            return hashlib.sha256(self._at(path).content).hexdigest()
        except ApiError as error:
            raise ApiError("bad_request", f"audio_url: {error.message}") from None

    def _at(self, path: str) -> ReceivedFile:
        if (file := self._received.get(path)) is None:
            raise ApiError("no_api", f"there is no file at {path}")
        return file


async def _file_part(request: web.Request) -> BodyPartReader:
    """The field ``file`` of a multipart request."""
    if request.content_type == "multipart/form-data":
        parts = await request.multipart()
        while (part := await parts.next()) is not None:
            if isinstance(part, BodyPartReader) and part.name == "file":
                return part
    raise ApiError("bad_request", "a multipart body with a field file is required")


async def _content(part: BodyPartReader) -> bytes:
    """The bytes of a file. Those of one that is too large are read too: some clients read no answer before the end."""
    content = bytearray()
    size = 0
    while chunk := await part.read_chunk(2**16):
        size += len(chunk)
        if size <= _LARGEST:
            content += chunk
    if size > _LARGEST:
        raise ApiError("bad_request", "a file may have 25 MB at most", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return bytes(content)
