"""The requests for lyrics, uploads, videos and WAV files. The service answers them at once, with the result."""

from pydantic import Field

from producer_tools.requests.base import LYRICS, UPLOAD, VIDEOS, WAV, PaidRequest
from producer_tools.requests.fields import AUDIO_ID, Text, Url


class GenerateLyrics(PaidRequest):
    """Lyrics from a description."""

    endpoint = LYRICS

    prompt: Text = Field(
        description="Theme, mood, genre, elements: 'romantic ballad about lost love and rain', 'hip-hop about never "
        "giving up'."
    )


class UploadAudio(PaidRequest):
    """Audio from a URL, uploaded to the service."""

    endpoint = UPLOAD

    audio_url: Url = Field(description="Public http(s) URL of an mp3, reachable without login.")


class GenerateVideo(PaidRequest):
    """A video of a song."""

    endpoint = VIDEOS

    audio_id: Text = Field(description=AUDIO_ID)


class GenerateWav(PaidRequest):
    """A WAV file of a song."""

    endpoint = WAV

    audio_id: Text = Field(description=AUDIO_ID)
