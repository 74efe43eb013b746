"""The files behind the URLs: rendered on request, the newest ones cached, sent whole or in part."""

import asyncio
import io
import re
import wave
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Literal, NamedTuple

from aiohttp import web

from producer_tools.concurrency.clock import Clock
from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.faults import Faults
from producer_tools.sandbox.jobs import Audio
from producer_tools.sandbox.music import Song, cover_png, plain_png

FileKind = Literal["audio", "preview", "stems", "video", "cover"]

_NAME = re.compile(r"(?P<id>[0-9a-f-]{36})(?P<ending>(?:-preview)?\.wav|-stems\.zip|\.mp4|\.png)")
# Files that are cached: a player or a resumed download soon asks for the same file again. A WAV is under 1 MB.
_CACHED = 8


class _FileType(NamedTuple):
    kind: FileKind
    content_type: str


_TYPES = {
    ".wav": _FileType("audio", "audio/wav"),
    "-preview.wav": _FileType("preview", "audio/wav"),
    "-stems.zip": _FileType("stems", "application/zip"),
    ".mp4": _FileType("video", "video/mp4"),
    ".png": _FileType("cover", "image/png"),
}


class Files:
    """Serves the files of finished songs, and the previews and covers of unfinished ones.

    Args:
        audio: All audio by id; audio that is added later is served too.
        clock: Decides which songs are finished.
        faults: Which kinds of file are missing.
        silent: Whether the files have silence and a plain cover in place of music and a picture.
    """

    def __init__(self, audio: Mapping[str, Audio], clock: Clock, faults: Faults, *, silent: bool) -> None:
        self._audio = audio
        self._clock = clock
        self._faults = faults
        # Rendering would block the event loop. With a single thread, the second request for a file finds it cached.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="producer-sandbox-render")
        renderers = _SILENT_RENDERERS if silent else _RENDERERS
        self._render = lru_cache(maxsize=_CACHED)(lambda audio, ending: renderers[ending](audio))

    def close(self) -> None:
        """End the rendering thread after the file that it is working on."""
        self._thread.shutdown(cancel_futures=True)

    async def serve(self, request: web.Request) -> web.Response:
        """Answer a GET of ``/sandbox/files/{name}``.

        Raises:
            ApiError: ``no_api``: the file does not exist, or not yet.
        """
        name = request.match_info["name"]
        parts = _NAME.fullmatch(name)
        audio = self._audio.get(parts["id"]) if parts else None
        if parts is None or audio is None:
            raise ApiError("no_api", f"there is no file {name}")
        kind, content_type = _TYPES[parts["ending"]]
        if self._faults.is_missing(kind):
            raise ApiError("no_api", f"there is no file {name}")
        if self._clock.now() < audio.ready_at and kind not in {"preview", "cover"}:
            raise ApiError("no_api", f"there is no file {name} yet: the song is not finished")
        # The content behind a name never changes, so the name can be its entity tag.
        tag = f'"{name}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        loop = asyncio.get_running_loop()
        data = await loop.run_in_executor(self._thread, self._render, audio, parts["ending"])
        return _response(request, data, tag, content_type)


def _response(request: web.Request, data: bytes, tag: str, content_type: str) -> web.Response:
    """``data``, or the range of it that ``request`` asks for."""
    headers = {"ETag": tag, "Accept-Ranges": "bytes"}
    if "Range" not in request.headers or request.headers.get("If-Range", tag) != tag:
        return web.Response(body=data, content_type=content_type, headers=headers)
    try:
        start, stop, _ = request.http_range.indices(len(data))
    except ValueError:  # several ranges, or an invalid one: HTTP allows answering with the whole file
        return web.Response(body=data, content_type=content_type, headers=headers)
    if start >= stop:
        return web.Response(status=416, headers=headers | {"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return web.Response(status=206, body=data[start:stop], content_type=content_type, headers=headers)


def _first_half(wav: bytes) -> bytes:
    """The preview of a song: the first half of its WAV file."""
    preview = io.BytesIO()
    with wave.open(io.BytesIO(wav)) as whole, wave.open(preview, "wb") as half:
        half.setparams(whole.getparams())
        half.writeframes(whole.readframes(whole.getnframes() // 2))
    return preview.getvalue()


def _renderers(song: Callable[[Audio], Song], cover: Callable[[Audio], bytes]) -> dict[str, Callable[[Audio], bytes]]:
    """By ending of the file's name: how to make each file from a song and a cover."""
    return {
        ".wav": lambda audio: song(audio).wav(),
        "-preview.wav": lambda audio: _first_half(song(audio).wav()),
        "-stems.zip": lambda audio: song(audio).stems(),
        ".mp4": lambda audio: song(audio).video(cover(audio)),
        ".png": cover,
    }


_RENDERERS = _renderers(lambda audio: audio.song, lambda audio: cover_png(audio.seed))
_SILENT_RENDERERS = _renderers(lambda audio: audio.song.silenced(), lambda _: plain_png())
