"""The requests for lyrics, uploads, videos and WAV files. The service answers them at once, with the result."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from typing_extensions import Self

from producer_tools.requests.base import LYRICS, UPLOAD, VIDEOS, WAV, PaidRequest
from producer_tools.requests.fields import AUDIO_ID, Text, Url

_AUDIO_URL = "Public http(s) URL of an mp3, reachable without login."


class GenerateLyrics(PaidRequest):
    """Lyrics from a description."""

    endpoint = LYRICS

    prompt: Text = Field(
        description="Theme, mood, genre, elements: 'romantic ballad about lost love and rain', 'hip-hop about never "
        "giving up'."
    )


class UploadAudio(PaidRequest):
    """Audio from a URL, uploaded to the service. For a file on disk, use `ProducerClient.upload`."""

    endpoint = UPLOAD

    audio_url: Url = Field(description=_AUDIO_URL)

    @model_validator(mode="before")
    @classmethod
    def _refuse_path(cls, given: Any) -> Any:
        """Say where a file on disk may be named: pydantic would only say that something is no argument, or no URL."""
        if isinstance(given, Mapping) and given.get("path") is not None:
            raise ValueError(
                "path is not possible here: only the tool of a toolkit with an upload_dir takes a file. Give the "
                "audio_url of a file on the web, or let the application call client.upload(path)"
            )
        url = given.get("audio_url") if isinstance(given, Mapping) else None
        if isinstance(url, str) and url.strip() and ":" not in url:
            raise ValueError(
                "audio_url is no valid URL: it must begin with https://. A file on disk has none; the application can "
                "upload it with client.upload(path)"
            )
        return given

    @property
    def warning(self) -> str | None:
        """Why the service may not be able to fetch the audio."""
        return _warning_about(self.audio_url)


class UploadRecording(UploadAudio):
    """A file that was hosted at ``audio_url``, uploaded to the service. `ProducerClient.upload` makes it.

    The same content is the same request wherever it is hosted.

    Attributes:
        sha256: the hash of the content, in hexadecimal.
    """

    not_asked: ClassVar[frozenset[str]] = frozenset({"audio_url"})

    sha256: Text

    def body(self) -> dict[str, Any]:
        """The JSON body: the service is told the address only."""
        return {"audio_url": self.audio_url}


class UploadAudioOrFile(PaidRequest):
    """Audio from a URL or from a folder of the application. These are the arguments of a tool with an ``upload_dir``.

    The tool turns it into one of the other two requests; `ProducerClient.submit` refuses it.
    """

    endpoint = UPLOAD

    audio_url: Url | None = Field(default=None, description=f"{_AUDIO_URL} Give either this or path.")
    path: Text | None = Field(
        default=None,
        description="Or a file in the user's folder, such as 'take 1.wav' or 'demos/riff.mp3': mp3, wav or m4a, at "
        "most 25 MB.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.audio_url is None) == (self.path is None):
            raise ValueError("give either audio_url or path, and not both")
        return self

    @property
    def warning(self) -> str | None:
        """Why the service may not be able to fetch the audio."""
        return None if self.audio_url is None else _warning_about(self.audio_url)


class GenerateVideo(PaidRequest):
    """A video of a song."""

    endpoint = VIDEOS

    audio_id: Text = Field(description=AUDIO_ID)


class GenerateWav(PaidRequest):
    """A WAV file of a song."""

    endpoint = WAV

    audio_id: Text = Field(description=AUDIO_ID)


def _warning_about(url: str) -> str | None:
    """A warning for an address without TLS (faq: some upstreams refuse it), unless it is this machine's."""
    parts = urlsplit(url)
    if parts.scheme.lower() != "http" or _is_loopback(parts.hostname or ""):
        return None
    return "The audio_url begins with http://, and some of the service's upstreams fetch https:// only."


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
