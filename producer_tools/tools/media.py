"""The tools that upload audio, and make a video or a WAV file of a song."""

from pydantic import BaseModel

from producer_tools import requests
from producer_tools.tools.base import SubmittingTool


class ProducerUploadAudio(SubmittingTool):
    """Uploads audio, so that other tools can work on it."""

    name: str = "producer_upload_audio"
    description: str = (
        "Bring outside audio in, so that extend, cover and replace can work on it: pass them the returned audio_id "
        "with uploaded=true. Use it for the user's own music, an outside base, an import. Paid."
    )
    args_schema: type[BaseModel] = requests.UploadAudio


class ProducerGenerateVideo(SubmittingTool):
    """Makes a video of a song."""

    name: str = "producer_generate_video"
    description: str = (
        "Make a video of a generated song, for sharing. Use it for a video version, for video platforms, or for "
        "something to look at. Paid."
    )
    args_schema: type[BaseModel] = requests.GenerateVideo


class ProducerGenerateWav(SubmittingTool):
    """Makes a lossless file of a song."""

    name: str = "producer_generate_wav"
    description: str = (
        "Get a song as lossless WAV: larger, with no quality loss against the compressed file. Use it for "
        "production, highest quality, further processing. Paid."
    )
    args_schema: type[BaseModel] = requests.GenerateWav
