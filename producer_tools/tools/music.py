"""The nine tools that make songs: the actions of ``/producer/audios``."""

from pydantic import BaseModel

from producer_tools import requests
from producer_tools.tools.base import SubmittingTool

_SUBMITS = (
    " Paid. Returns a task_id at once; nothing is finished yet: call producer_wait_for_tasks next (or "
    "producer_get_task). Never repeat it to poll."
)


class ProducerGenerateMusic(SubmittingTool):
    """Makes a song from a text prompt."""

    name: str = "producer_generate_music"
    description: str = (
        "Make a song from a text prompt: the simplest way, with lyrics, melody, style and arrangement made for you. "
        "Use it for a quick song from little input, with no lyrics in mind, or with freedom in the arrangement. For "
        "own lyrics and style use producer_generate_custom_music." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.GenerateMusic


class ProducerGenerateCustomMusic(SubmittingTool):
    """Makes a song from lyrics, a title and a style."""

    name: str = "producer_generate_custom_music"
    description: str = (
        "Make a song with full control of lyrics, title and style: you give the lyrics with section markers, melody "
        "and arrangement are made. Use it when lyrics are given, for an exact style, or for a given title. For a "
        "quick song without lyrics use producer_generate_music." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.GenerateCustomMusic


class ProducerExtendMusic(SubmittingTool):
    """Continues a song from a timestamp."""

    name: str = "producer_extend_music"
    description: str = (
        "Continue a song from a timestamp with new content: more verses, a bridge, an outro. Use it when a song is "
        "too short, to add a bridge or outro, or to build a long song piece by piece." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.ExtendMusic


class ProducerCoverMusic(SubmittingTool):
    """Makes a cover of a song in another style."""

    name: str = "producer_cover_music"
    description: str = (
        "Make a cover or remix in another style; core melody and lyrics stay. Use it for another genre, an acoustic "
        "or unplugged version, a remix." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.CoverMusic


class ProducerVariationMusic(SubmittingTool):
    """Makes another version of a song with the same structure."""

    name: str = "producer_variation_music"
    description: str = (
        "Make a slightly different version of a song, its overall structure kept. Use it when a song was liked but "
        "another take is wanted, to explore, or for several takes." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.VariationMusic


class ProducerSwapVocals(SubmittingTool):
    """Replaces the vocals of a song."""

    name: str = "producer_swap_vocals"
    description: str = (
        "Put new vocals over a song's own instrumental. Use it to hear other vocals on the same beat, or for a vocal "
        "mash-up. One audio id only: the API takes no second song." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.SwapVocals


class ProducerSwapInstrumentals(SubmittingTool):
    """Replaces the instrumental of a song."""

    name: str = "producer_swap_instrumentals"
    description: str = (
        "Put a new instrumental under a song's own vocals. Use it for the same voice over other music, or for an "
        "instrumental mash-up. One audio id only: the API takes no second song." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.SwapInstrumentals


class ProducerReplaceSection(SubmittingTool):
    """Replaces one time range of a song."""

    name: str = "producer_replace_section"
    description: str = (
        "Make one time range of a song anew, the rest unchanged. Use it when one section needs work, for other "
        "lyrics in the middle, or to swap a verse or chorus." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.ReplaceSection


class ProducerStemsMusic(SubmittingTool):
    """Separates the vocals and instruments of a song."""

    name: str = "producer_stems_music"
    description: str = (
        "Separate a song's vocals and instruments; the result is one zip. Use it to isolate vocals, for stems to "
        "mix, or for karaoke." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.StemsMusic
