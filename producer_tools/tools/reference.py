"""The tools that send no request: the models, the tools and workflows, and the lyric format."""

from typing import Any, ClassVar

from pydantic import BaseModel

from producer_tools.prompts import WORKFLOW_STEPS
from producer_tools.requests import LONGEST_SECONDS, Model, NoArguments
from producer_tools.tools.base import ProducerTool
from producer_tools.tools.output import Output, compact_json

_USES: dict[Model, tuple[str, str]] = {
    "FUZZ-2.0 Pro": ("pro", "best quality, for production"),
    "FUZZ-2.0": ("default", "most songs: quality and speed in balance"),
    "FUZZ-2.0 Raw": ("raw", "unprocessed sound, for your own post-processing"),
    "FUZZ-1.1 Pro": ("pro, legacy", "high quality with the character of 1.1"),
    "FUZZ-1.0 Pro": ("pro, legacy", "professional sound of the first generation"),
    "FUZZ-1.0": ("legacy", "stable first generation"),
    "FUZZ-1.1": ("legacy", "improved first generation"),
    "FUZZ-0.8": ("legacy", "the original model, basic quality"),
}
"""The tier and the use of each model."""

_MODELS: dict[str, Any] = {
    "models": [
        {"model": model, "tier": tier, "use": use, "longest_seconds": LONGEST_SECONDS[model]}
        for model, (tier, use) in _USES.items()
    ],
    "which": "FUZZ-2.0 unless the user wants the best quality (FUZZ-2.0 Pro) or unprocessed sound (FUZZ-2.0 Raw).",
}

_ACTIONS: dict[str, Any] = {
    "tools": {
        "make": {
            "producer_generate_music": "a song from a prompt",
            "producer_generate_custom_music": "a song from your lyrics, title and style",
            "producer_generate_lyrics": "lyrics from a theme",
        },
        "change": {
            "producer_extend_music": "go on from a timestamp",
            "producer_cover_music": "another style, same melody and lyrics",
            "producer_variation_music": "another take, same structure",
            "producer_replace_section": "one time range anew",
            "producer_swap_vocals": "new vocals, same instrumental",
            "producer_swap_instrumentals": "new instrumental, same vocals",
        },
        "take out, bring in": {
            "producer_stems_music": "vocals and instruments apart, one zip",
            "producer_generate_video": "a video of a song",
            "producer_generate_wav": "a lossless file of a song",
            "producer_upload_audio": "your own audio to work on",
        },
        "tasks": {
            "producer_wait_for_tasks": "wait until tasks are final",
            "producer_get_task": "one task's status and result",
            "producer_get_tasks_batch": "many tasks' status and results",
            "producer_download_results": "a finished task's files, saved",
        },
        "reference": {
            "producer_list_models": "the models",
            "producer_list_actions": "this list",
            "producer_get_lyric_format_guide": "how to write lyrics",
        },
    },
    "workflows": WORKFLOW_STEPS,
}

_LYRIC_FORMAT: dict[str, Any] = {
    "markers": {
        "[Intro]": "opens the song, sung or played",
        "[Verse]": "tells the story; number them: [Verse 1], [Verse 2]",
        "[Pre-Chorus]": "builds up to the chorus",
        "[Chorus]": "the hook, repeated",
        "[Bridge]": "a contrast, mostly near the end",
        "[Outro]": "lets the song end",
    },
    "example": (
        "[Verse 1]\nStreetlights hum above the rain\nI still wait here for your train\n\n"
        "[Pre-Chorus]\nEvery window holds a spark\n\n"
        "[Chorus]\nCarry me home, carry me far\nFollow the road under one star\n\n"
        "[Verse 2]\nMorning paints the platform gold\nHands are warm that once were cold\n\n"
        "[Chorus]\nCarry me home, carry me far\nFollow the road under one star\n\n"
        "[Bridge]\nAnd if the night should call our name\n\n"
        "[Outro]\nCarry me home"
    ),
    "tips": [
        "Lines of 4-8 words.",
        "Simple words that sing well.",
        "Rhymes, above all in the chorus.",
        "Even line lengths within a section.",
        "Leave the music some room: not every moment needs words.",
        "Let the end of a verse lead into the chorus.",
    ],
}


class ReferenceTool(ProducerTool):
    """A tool whose answer is always the same."""

    page: ClassVar[dict[str, Any]]

    args_schema: type[BaseModel] = NoArguments

    async def answer(self, request: NoArguments) -> Output:  # noqa: ARG002 - there are no arguments
        """Return the page."""
        return compact_json(self.page), self.page


class ProducerListModels(ReferenceTool):
    """Lists the eight models."""

    page = _MODELS

    name: str = "producer_list_models"
    description: str = (
        "Which models do you have, which is best, what is the difference between the versions? The eight "
        "models (AI engines, generators) available to choose from, with tier, use and longest song, and which to "
        "pick."
    )


class ProducerListActions(ReferenceTool):
    """Lists every tool and the usual workflows."""

    page = _ACTIONS

    name: str = "producer_list_actions"
    description: str = (
        "What can you do with music here, which features and edits are possible, what are the usual steps? An "
        "overview of everything: every tool (function), grouped, and the workflows from a quick song to your own "
        "music."
    )


class ProducerGetLyricFormatGuide(ReferenceTool):
    """Explains how to write lyrics."""

    page = _LYRIC_FORMAT

    name: str = "producer_get_lyric_format_guide"
    description: str = (
        "How do I write, mark and lay out my lyrics, what is the right format and structure? The rules: section "
        "markers in square brackets (tags) for verse, chorus, bridge or an instrumental break, an example, and tips "
        "on line length, words and rhymes."
    )
