"""The tools that upload audio, and make a video or a WAV file of a song."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as NotInTimeError
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, model_validator
from typing_extensions import Self

from producer_tools import requests
from producer_tools.concurrency.paths import absolute_path
from producer_tools.concurrency.threads import wait_for_thread
from producer_tools.errors import InvalidArgumentError, ProducerError
from producer_tools.files.uploads.recordings import Recording, read_inside
from producer_tools.payment.graph_keys import GraphKey
from producer_tools.payment.ledger import Ledger
from producer_tools.requests.media import UploadAudioOrFile
from producer_tools.tasks.task import Task
from producer_tools.tools.base import SubmittingTool


def _folder(path: Path | str) -> Path:
    """The folder, which must be named: an empty variable of the environment would stand for the current directory."""
    if path == "":
        raise ValueError("it is empty: name a folder ('.' for the current one), or None for no uploads of files")
    return absolute_path(path)


UploadDir = Annotated[Path | str, AfterValidator(_folder)]
"""A folder whose files a model may upload."""


_LONGEST_READ = 1.0
"""Seconds for which an event loop stands still while a file is read. A network drive may not answer at all."""


class ProducerUploadAudio(SubmittingTool):
    """Uploads audio, so that other tools can work on it.

    Args:
        upload_dir: a folder whose files a model may upload. Without one, a model can only name audio on the web. With
            one, it may also give a ``path`` below that folder. Links and hidden files are refused, and so is all that
            is elsewhere. `ProducerClient.upload` says which files can be uploaded, and when one is paid for again.
    """

    name: str = "producer_upload_audio"
    description: str = (
        "Bring in the user's own audio from a link: a demo, a recording, a voice memo, a beat. 'Get my file "
        "https://example.com/demo.mp3 in here first.' Then extend, cover and replace work on it: give them the "
        "returned audio_id and uploaded=true. Paid."
    )
    args_schema: type[BaseModel] = requests.UploadAudio
    upload_dir: UploadDir | None = Field(default=None, exclude=True, repr=False)

    @model_validator(mode="after")
    def _take_files(self) -> Self:
        if self.upload_dir is not None and self.args_schema is requests.UploadAudio:
            self.args_schema = UploadAudioOrFile
        return self

    async def submitted(
        self, request: Any, filed: GraphKey, ledger: Ledger | None, refusal: ProducerError | None
    ) -> Task:
        """The task of the audio at a URL, or of a file."""
        if not isinstance(request, UploadAudioOrFile):
            return await super().submitted(request, filed, ledger, refusal)
        if request.path is None:
            at_url = requests.UploadAudio(audio_url=request.audio_url)
            return await super().submitted(at_url, filed, ledger, refusal)
        read = partial(self._read, request.path)
        return await self.client.upload(read, key=filed.key, ledger=ledger, refusal=refusal)

    def facts(self, request: Any) -> Mapping[str, str]:
        """The type, size and hash of the file that would be sent.

        In a running event loop, which stands still meanwhile, a file that takes more than a second is not waited for.

        Raises:
            InvalidArgumentError: it cannot be uploaded.
            ConfigurationError: ``upload_dir`` is gone, or cannot be read.
        """
        if not isinstance(request, UploadAudioOrFile) or request.path is None:
            return {}
        recording = _read_in_time(partial(self._read, request.path))
        if recording is None:
            return {"file": f"not read within {_LONGEST_READ:g} s, so its type, size and hash are not known"}
        size = f"{len(recording.content):,} bytes of {recording.content_type}"
        return {"file": f"{size}, SHA-256 {recording.sha256[:12]}"}

    def _read(self, path: str) -> Recording:
        if self.upload_dir is None:  # an application has set only the arguments
            raise InvalidArgumentError({"path": "this tool has no upload_dir, so it takes no files"})
        return read_inside(self.upload_dir, path)


class ProducerGenerateVideo(SubmittingTool):
    """Makes a video of a song."""

    name: str = "producer_generate_video"
    description: str = (
        "Turn a song into a music video, something to watch: an mp4 clip with moving images and visuals for a screen "
        "or WhatsApp. For sharing, also on video platforms such as YouTube, TikTok or Instagram. Paid."
    )
    args_schema: type[BaseModel] = requests.GenerateVideo


class ProducerGenerateWav(SubmittingTool):
    """Makes a lossless file of a song."""

    name: str = "producer_generate_wav"
    description: str = (
        "Export a song as a lossless, uncompressed WAV file of the highest quality: for mastering, production, a CD, "
        "the radio, further processing. Larger than mp3, with no loss against the compressed file. Paid."
    )
    args_schema: type[BaseModel] = requests.GenerateWav


def _read_in_time(read: Callable[[], Recording]) -> Recording | None:
    """The recording; ``None`` if an event loop is running and has waited long enough for it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return read()
    # A LangGraph development server ends a run that reads a file in its event loop, so a thread reads it.
    try:
        return wait_for_thread(_LONGEST_READ, read)
    except NotInTimeError:
        return None
