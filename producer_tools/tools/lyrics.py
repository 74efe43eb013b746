"""The tool that writes lyrics."""

from pydantic import BaseModel

from producer_tools import requests
from producer_tools.tools.base import SubmittingTool


class ProducerGenerateLyrics(SubmittingTool):
    """Writes lyrics from a description."""

    name: str = "producer_generate_lyrics"
    description: str = (
        "Write song lyrics about a theme or mood, only as text: two verses and a chorus on paper, funny rhymes for"
        " a party, a draft to read first or to sing oneself. 'Just write the words, no audio'. Returns title and "
        "lyrics with section markers, ready for producer_generate_custom_music. Paid."
    )
    args_schema: type[BaseModel] = requests.GenerateLyrics
