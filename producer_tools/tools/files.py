"""The tool that saves what a task made. It costs nothing."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, model_validator
from typing_extensions import Self

from producer_tools import requests
from producer_tools.concurrency.paths import absolute_path
from producer_tools.files.downloads import DEFAULT_DIRECTORY, Downloader
from producer_tools.tools.base import ProducerTool
from producer_tools.tools.output import Output, downloads_output

_LISTENING = (
    " Use it also to judge a song: you read what was measured of its audio (length, loudness, what is wrong with it) "
    "and, if you can hear, the song is played to you."
)


class ProducerDownloadResults(ProducerTool):
    """Saves the files of a finished task in the application's directory.

    Args:
        directory: where the files go; default ``./producer-downloads``, made when it is first needed. A model cannot
            choose another one. `producer_tools.Downloader` says when a relative one is made absolute.
        timeout_seconds: how long one call may take; default 300. What is not saved by then is named in ``failed``.
        listen: whether the model also reads what was measured of the audio (length, loudness, peak, what is wrong with
            it), which needs the extra ``sound``, and a `producer_tools.Listener` may let it hear the songs.
    """

    name: str = "producer_download_results"
    description: str = (
        "Save everything a finished task made (audio, WAV, video, stems, cover) as files, and get their paths. Use it "
        "when the user wants files, or before URLs expire. Only for state complete with success true: previews are "
        "refused. Files already saved are not downloaded again."
    )
    args_schema: type[BaseModel] = requests.GetTask
    directory: Annotated[Path | str, AfterValidator(absolute_path)] = Field(
        default=DEFAULT_DIRECTORY, exclude=True, validate_default=True
    )
    timeout_seconds: float = Field(default=300, gt=0, exclude=True)
    listen: bool = Field(default=False, exclude=True)

    @model_validator(mode="after")
    def _describe_listening(self) -> Self:
        if self.listen:
            self.description += _LISTENING
        return self

    async def answer(self, request: requests.GetTask) -> Output:
        """Save the files."""
        saving = Downloader(self.client, self.directory).save(request.task_id, timeout_seconds=self.timeout_seconds)
        return downloads_output(await saving, listen=self.listen)
