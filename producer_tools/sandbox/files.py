"""The files behind the URLs: rendered when somebody asks, a few kept, served whole or in part."""

import asyncio
import io
import re
import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from aiohttp import web

from producer_tools.concurrency.clock import Clock
from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.jobs import Audio
from producer_tools.sandbox.music import cover_png

_NAME = re.compile(r"(?P<id>[0-9a-f-]{36})(?P<ending>(?:-preview)?\.wav|-stems\.zip|\.mp4|\.png)")
# A WAV is a few megabytes, and whoever asks for one tends to ask again soon: a player, a resumed download.
_KEPT = 8


class Files:
    """Serves the files of finished songs, and previews and pictures of the unfinished.

    Args:
        audio: All audio by id; what is added later is served as well.
        clock: Tells what is finished.
    """

    def __init__(self, audio: dict[str, Audio], clock: Clock) -> None:
        self._audio = audio
        self._clock = clock
        # One thread: the second request for a file finds it rendered, and the event loop goes on meanwhile.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="producer-sandbox-render")
        self._rendered = lru_cache(maxsize=_KEPT)(_render)

    def close(self) -> None:
        """End the rendering thread, once it is through with what it is at."""
        self._thread.shutdown(cancel_futures=True)

    async def serve(self, request: web.Request) -> web.Response:
        """Answer a GET of ``/sandbox/files/{name}``.

        Raises:
            ApiError: ``no_api``: there is no such file, or not yet.
        """
        name = request.match_info["name"]
        parts = _NAME.fullmatch(name)
        audio = self._audio.get(parts["id"]) if parts else None
        if parts is None or audio is None:
            raise ApiError("no_api", f"there is no file {name}")
        ending = parts["ending"]
        if self._clock.now() < audio.ready_at and ending not in {"-preview.wav", ".png"}:
            raise ApiError("no_api", f"there is no file {name} yet: the song is not finished")
        # A name is never given to other bytes, so it is its own fingerprint.
        tag = f'"{name}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        data = await asyncio.get_running_loop().run_in_executor(self._thread, self._rendered, audio, ending)
        return _part(request, data, tag, _CONTENT_TYPES[ending])


def _part(request: web.Request, data: bytes, tag: str, content_type: str) -> web.Response:
    """``data``, or the one range of it that ``request`` asks for."""
    headers = {"ETag": tag, "Accept-Ranges": "bytes"}
    if "Range" not in request.headers or request.headers.get("If-Range", tag) != tag:
        return web.Response(body=data, content_type=content_type, headers=headers)
    try:
        start, stop, _ = request.http_range.indices(len(data))
    except ValueError:  # several ranges, or none that can be read: the whole is a right answer to that
        return web.Response(body=data, content_type=content_type, headers=headers)
    if start >= stop:
        return web.Response(status=416, headers=headers | {"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return web.Response(status=206, body=data[start:stop], content_type=content_type, headers=headers)


def _first_half(wav: bytes) -> bytes:
    """What can be heard of a song before it is finished."""
    preview = io.BytesIO()
    with wave.open(io.BytesIO(wav)) as whole, wave.open(preview, "wb") as half:
        half.setparams(whole.getparams())
        half.writeframes(whole.readframes(whole.getnframes() // 2))
    return preview.getvalue()


_RENDERERS: dict[str, Callable[[Audio], bytes]] = {
    ".wav": lambda audio: audio.song.wav(),
    "-preview.wav": lambda audio: _first_half(audio.song.wav()),
    "-stems.zip": lambda audio: audio.song.stems(),
    ".mp4": lambda audio: audio.song.video(cover_png(audio.seed)),
    ".png": lambda audio: cover_png(audio.seed),
}
_CONTENT_TYPES = {
    ".wav": "audio/wav",
    "-preview.wav": "audio/wav",
    "-stems.zip": "application/zip",
    ".mp4": "video/mp4",
    ".png": "image/png",
}


def _render(audio: Audio, ending: str) -> bytes:
    return _RENDERERS[ending](audio)
