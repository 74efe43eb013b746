"""The tool that writes lyrics."""

from pydantic import BaseModel

from producer_tools import requests
from producer_tools.tools.base import SubmittingTool


class ProducerGenerateLyrics(SubmittingTool):
    """Writes lyrics from a description."""

    name: str = "producer_generate_lyrics"
    description: str = (
        "Write structured lyrics with section markers, ready for producer_generate_custom_music. Use it when lyrics "
        "are needed, from a theme or mood, or for a proper structure. Returns title and lyrics at once. Paid."
    )
    args_schema: type[BaseModel] = requests.GenerateLyrics
