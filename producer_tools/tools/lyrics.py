"""The tool that writes lyrics."""

from pydantic import BaseModel

from producer_tools import requests
from producer_tools.tools.base import SubmittingTool


class ProducerGenerateLyrics(SubmittingTool):
    """Writes lyrics from a description."""

    name: str = "producer_generate_lyrics"
    description: str = (
        "Write lyrics, only the words of a song, about a theme or mood, to read before any music is made. "
        "Structured, with section markers, ready for producer_generate_custom_music. Returns title and lyrics at "
        "once. Paid."
    )
    args_schema: type[BaseModel] = requests.GenerateLyrics
