"""The files behind the URLs: rendered on request, the newest ones cached, sent whole or in part."""

import asyncio
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Literal, NamedTuple

from aiohttp import web

from producer_tools.concurrency.clock import Clock
from producer_tools.sandbox.covers import cover, plain_cover
from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.faults import Faults
from producer_tools.sandbox.jobs import Audio
from producer_tools.sandbox.music import Song, encoding, formats

FileKind = Literal["audio", "preview", "stems", "video", "cover"]
AudioFormat = Literal["wav", "m4a", "mp3"]

_NAME = re.compile(r"(?P<id>[0-9a-f-]{36})(?P<ending>.+)")
# Files that are cached: a player or a resumed download soon asks for the same file again. Most are under 1 MB.
_CACHED = 8


class _FileType(NamedTuple):
    kind: FileKind
    content_type: str
    render: Callable[[Audio], bytes]


def _file_types(audio_format: AudioFormat, *, silent: bool) -> dict[str, _FileType]:
    """The files of a song, by the ending of their names."""
    encode, content_type = {
        "wav": (formats.wav, "audio/wav"),
        "m4a": (encoding.m4a, "audio/mp4"),
        "mp3": (encoding.mp3, "audio/mpeg"),
    }[audio_format]

    def song(audio: Audio) -> Song:
        return audio.song.silenced() if silent else audio.song

    def picture(audio: Audio) -> bytes:
        return plain_cover() if silent else cover(audio.seed)

    def preview(audio: Audio) -> bytes:
        samples = song(audio).samples()
        return encode(samples[: len(samples) // 2])

    return {
        f".{audio_format}": _FileType("audio", content_type, lambda audio: encode(song(audio).samples())),
        f"-preview.{audio_format}": _FileType("preview", content_type, preview),
        ".wav": _FileType("audio", "audio/wav", lambda audio: song(audio).wav()),
        "-stems.zip": _FileType("stems", "application/zip", lambda audio: song(audio).stems()),
        ".mp4": _FileType("video", "video/mp4", lambda audio: encoding.mp4(song(audio).samples(), picture(audio))),
        ".jpg": _FileType("cover", "image/jpeg", picture),
    }


class Files:
    """Serves the files of finished songs, and the previews and covers of unfinished ones.

    Args:
        audio: All audio by id; audio that is added later is served too.
        clock: Decides which songs are finished.
        faults: Which kinds of file are missing.
        audio_format: The format of songs, uploads and previews.
        silent: Whether the files have silence and a plain cover in place of music and a picture.
    """

    def __init__(
        self, audio: Mapping[str, Audio], clock: Clock, faults: Faults, audio_format: AudioFormat, *, silent: bool
    ) -> None:
        self._audio = audio
        self._clock = clock
        self._faults = faults
        # Rendering would block the event loop. With a single thread, the second request for a file finds it cached.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="producer-sandbox-render")
        self._types = _file_types(audio_format, silent=silent)
        self._render = lru_cache(maxsize=_CACHED)(lambda audio, ending: self._types[ending].render(audio))

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
        file_type = self._types.get(parts["ending"]) if parts else None
        if parts is None or audio is None or file_type is None or self._faults.is_missing(file_type.kind):
            raise ApiError("no_api", f"there is no file {name}")
        if self._clock.now() < audio.ready_at and file_type.kind not in {"preview", "cover"}:
            raise ApiError("no_api", f"there is no file {name} yet: the song is not finished")
        # The content behind a name never changes, so the name can be its entity tag.
        tag = f'"{name}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        loop = asyncio.get_running_loop()
        data = await loop.run_in_executor(self._thread, self._render, audio, parts["ending"])
        return _response(request, data, tag, file_type.content_type)


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
