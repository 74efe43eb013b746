"""The tool that writes lyrics."""

from pydantic import BaseModel

from producer_tools import requests
from producer_tools.tools.base import SubmittingTool


class ProducerGenerateLyrics(SubmittingTool):
    """Writes lyrics from a description."""

    name: str = "producer_generate_lyrics"
    description: str = (
        "Write lyrics: only the words of a song about a theme or mood, as text, before any music is made or for "
        "somebody to sing. Structured, with section markers, ready for producer_generate_custom_music. Returns "
        "title and lyrics at once. Paid."
    )
    args_schema: type[BaseModel] = requests.GenerateLyrics
