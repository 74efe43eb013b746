"""The tool that writes lyrics."""

from pydantic import BaseModel

from producer_tools import requests
from producer_tools.tools.base import SubmittingTool


class ProducerGenerateLyrics(SubmittingTool):
    """Writes lyrics from a description."""

    name: str = "producer_generate_lyrics"
    description: str = (
        "Write lyrics, only the text of a song about a theme or mood, no audio: a draft to read first, or words for "
        "users who play the music on their own guitar. 'Come up with funny rhymes about winter, just on paper.' "
        "Returns title and lyrics with section markers, ready for producer_generate_custom_music. Paid."
    )
    args_schema: type[BaseModel] = requests.GenerateLyrics
