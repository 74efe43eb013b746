"""The nine tools that make songs: the actions of ``/producer/audios``."""

from pydantic import BaseModel

from producer_tools import requests
from producer_tools.tools.base import SubmittingTool

_SUBMITS = (
    " Paid; gives a task_id, nothing is finished yet: then producer_wait_for_tasks or producer_get_task. Never "
    "repeat to poll."
)


class ProducerGenerateMusic(SubmittingTool):
    """Makes a song from a text prompt."""

    name: str = "producer_generate_music"
    description: str = (
        "Create a new song, tune, beat or other piece of music from a short idea: a soul song about love, a jingle "
        "for an ad, a lo-fi track to study, a piano piece for a film, ambient music for a game. 'I need something "
        "cheerful about my dog, please invent it all.' The simplest way: lyrics, melody, style and arrangement are "
        "made for you, with or without vocals. With the user's lyrics: producer_generate_custom_music." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.GenerateMusic


class ProducerGenerateCustomMusic(SubmittingTool):
    """Makes a song from lyrics, a title and a style."""

    name: str = "producer_generate_custom_music"
    description: str = (
        "Sing the user's own words exactly as they wrote them: lyrics, a poem, verses or a rap. 'I wrote these lines, "
        "please use my words: The night is long, the road is wide.' Full control of lyrics, title and style; the "
        "melody and arrangement are made. Without lyrics: producer_generate_music." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.GenerateCustomMusic


class ProducerExtendMusic(SubmittingTool):
    """Continues a song from a timestamp."""

    name: str = "producer_extend_music"
    description: str = (
        "Continue a song from a given second to make it longer when it is too short, cuts off or ends too early. Adds "
        "another verse, a bridge, a last chorus, a solo or a proper ending (outro). 'Keep going for another minute "
        "from where it stops.' Also builds a long song piece by piece." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.ExtendMusic


class ProducerCoverMusic(SubmittingTool):
    """Makes a cover of a song in another style."""

    name: str = "producer_cover_music"
    description: str = (
        "Turn an existing song into another style or genre: a cover or remix of the whole song, as jazz, metal or "
        "gospel, acoustic or unplugged. 'Rework that ballad we made into a reggae number.' Core melody and lyrics "
        "stay; for the same style: producer_variation_music." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.CoverMusic


class ProducerVariationMusic(SubmittingTool):
    """Makes another version of a song with the same structure."""

    name: str = "producer_variation_music"
    description: str = (
        "Make one more take of an existing song: an alternate version or close variant, slightly different but very "
        "similar to the original, structure kept. 'That one is almost right, roll again: same style, but not "
        "identical.' To explore, or for several takes to choose from." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.VariationMusic


class ProducerSwapVocals(SubmittingTool):
    """Replaces the vocals of a song."""

    name: str = "producer_swap_vocals"
    description: str = (
        "Let someone else sing the song over the same music: a different singer or rapper, a woman instead of a man, "
        "a choir, a deep or raspy voice. 'The band is perfect, but have a tenor sing it.' New vocals over the same "
        "beat, instruments untouched; also a vocal mash-up. For other music: producer_swap_instrumentals." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.SwapVocals


class ProducerSwapInstrumentals(SubmittingTool):
    """Replaces the instrumental of a song."""

    name: str = "producer_swap_instrumentals"
    description: str = (
        "Change the music behind the singing and keep the vocals: a new band, beat, backing track or accompaniment "
        "under the same voice or rap. 'Keep my voice, but put guitar and strings behind it instead of drums.' Also an "
        "instrumental mash-up. For another singer: producer_swap_vocals." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.SwapInstrumentals


class ProducerReplaceSection(SubmittingTool):
    """Replaces one time range of a song."""

    name: str = "producer_replace_section"
    description: str = (
        "Redo one part of a song between two times and leave the rest unchanged: fix a wrong word or name, a glitch, "
        "a bad solo, the first ten seconds. 'Change only the bit from 0:45 to 1:05.' Also for new lyrics in the "
        "middle, or to swap a verse or chorus." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.ReplaceSection


class ProducerStemsMusic(SubmittingTool):
    """Separates the vocals and instruments of a song."""

    name: str = "producer_stems_music"
    description: str = (
        "Separate the vocals and the instruments of a song into stems, as separate files in one zip. To isolate "
        "vocals for an a cappella, to strip out the singer for karaoke, or to get the voice track and the band track "
        "apart for mixing. 'Just the singing part on its own.'" + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.StemsMusic
