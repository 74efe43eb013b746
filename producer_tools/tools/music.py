"""The nine tools that make songs: the actions of ``/producer/audios``."""

from pydantic import BaseModel

from producer_tools import requests
from producer_tools.tools.base import SubmittingTool

_SUBMITS = (
    " Paid; gives a task_id, nothing is finished yet: next call producer_wait_for_tasks (or producer_get_task). Never "
    "repeat it to poll."
)


class ProducerGenerateMusic(SubmittingTool):
    """Makes a song from a text prompt."""

    name: str = "producer_generate_music"
    description: str = (
        "Make a new song from an idea: a theme, mood, genre or occasion; lyrics, melody, style and arrangement are"
        " made for you. The simplest way: a quick song from a text prompt, no lyrics in mind, free arrangement. "
        "With the user's own lyrics: producer_generate_custom_music." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.GenerateMusic


class ProducerGenerateCustomMusic(SubmittingTool):
    """Makes a song from lyrics, a title and a style."""

    name: str = "producer_generate_custom_music"
    description: str = (
        "Make a new song that sings the user's own lyrics, words or poem, with full control of lyrics, title and "
        "style. You give the lyrics with section markers; melody and arrangement are made. Without lyrics: "
        "producer_generate_music." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.GenerateCustomMusic


class ProducerExtendMusic(SubmittingTool):
    """Continues a song from a timestamp."""

    name: str = "producer_extend_music"
    description: str = (
        "Make an existing song longer: continue it from a timestamp with more verses, a bridge, an outro. For a "
        "song that is too short or ends too early, or a long one built piece by piece." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.ExtendMusic


class ProducerCoverMusic(SubmittingTool):
    """Makes a cover of a song in another style."""

    name: str = "producer_cover_music"
    description: str = (
        "Turn a whole existing song into another style or genre: a cover, a remix, an acoustic or unplugged "
        "version. Core melody and lyrics stay. Only another voice or only other music: the swaps." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.CoverMusic


class ProducerVariationMusic(SubmittingTool):
    """Makes another version of a song with the same structure."""

    name: str = "producer_variation_music"
    description: str = (
        "Make another take of an existing song: a slightly different version, its overall structure kept. For a "
        "user who likes it but wants alternatives, to explore, for several takes." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.VariationMusic


class ProducerSwapVocals(SubmittingTool):
    """Replaces the vocals of a song."""

    name: str = "producer_swap_vocals"
    description: str = (
        "Change who sings a song: another voice, new vocals over its own instrumental; it keeps the same beat, music "
        "and band. Also a vocal mash-up. One audio id only: the API takes no second song. To change the music: "
        "producer_swap_instrumentals." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.SwapVocals


class ProducerSwapInstrumentals(SubmittingTool):
    """Replaces the instrumental of a song."""

    name: str = "producer_swap_instrumentals"
    description: str = (
        "Change the music behind the singing: a new instrumental, beat or backing band under a song's own vocals: "
        "the same voice over other music. Also an instrumental mash-up. One audio id only: the API takes no second"
        " song. To change the voice: producer_swap_vocals." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.SwapInstrumentals


class ProducerReplaceSection(SubmittingTool):
    """Replaces one time range of a song."""

    name: str = "producer_replace_section"
    description: str = (
        "Redo one part of a song, from one second to another, the rest unchanged: fix a section or a wrong line, "
        "put other lyrics in the middle, swap a verse or chorus." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.ReplaceSection


class ProducerStemsMusic(SubmittingTool):
    """Separates the vocals and instruments of a song."""

    name: str = "producer_stems_music"
    description: str = (
        "Split a song into separate tracks: the vocals alone and the instruments alone, in one zip. To isolate "
        "vocals, for karaoke without the singing, for stems to mix." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.StemsMusic
