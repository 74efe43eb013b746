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
        "Create a new song, tune or beat from a short idea: a funny song about a cat, a catchy jingle for a shop, "
        "a love song, epic trailer music, calm background music for a game, no singing. 'A happy song for mum, "
        "come up with everything'. The simplest way: lyrics, melody, style and arrangement are made for you. With "
        "the user's lyrics: producer_generate_custom_music." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.GenerateMusic


class ProducerGenerateCustomMusic(SubmittingTool):
    """Makes a song from lyrics, a title and a style."""

    name: str = "producer_generate_custom_music"
    description: str = (
        "Sing the user's own words as a song: 'here are my lyrics, use exactly this', 'set my poem to music, call "
        "it Red Shoes', 'turn this rap into a track, title Home: the night is long / the road is wide'. Full "
        "control of lyrics, title and style: you give the lyrics, melody and arrangement are made. Without lyrics:"
        " producer_generate_music." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.GenerateCustomMusic


class ProducerExtendMusic(SubmittingTool):
    """Continues a song from a timestamp."""

    name: str = "producer_extend_music"
    description: str = (
        "Continue a song from a timestamp and make it longer: it is too short, ends too early, should go on for "
        "another minute, needs one more verse, a bridge, a last chorus, a proper ending (outro). 'Carry on from "
        "second 90', 'keep playing'. Builds a long song piece by piece." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.ExtendMusic


class ProducerCoverMusic(SubmittingTool):
    """Makes a cover of a song in another style."""

    name: str = "producer_cover_music"
    description: str = (
        "Turn an existing song into another style or genre: a cover or remix, the same song as jazz, rock, country"
        " or techno, acoustic, unplugged. 'What would it sound like as swing?', 'can we hear that song as a "
        "tango?', 'do it over in gospel style'. Core melody and lyrics stay." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.CoverMusic


class ProducerVariationMusic(SubmittingTool):
    """Makes another version of a song with the same structure."""

    name: str = "producer_variation_music"
    description: str = (
        "Make another take of a song the user likes: a slightly different version, structure kept. 'One more, "
        "similar but not identical', 'almost right, try again with small differences', 'an alternate version close"
        " to the original', a sibling in the same style. To explore, for several takes and options." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.VariationMusic


class ProducerSwapVocals(SubmittingTool):
    """Replaces the vocals of a song."""

    name: str = "producer_swap_vocals"
    description: str = (
        "Let somebody else sing a song: a different singer or vocalist, a woman, a man, a choir, a deep, old, "
        "raspy or softer voice. 'The band is perfect, only the voice is wrong'. New vocals over the same beat, "
        "instruments untouched; also a vocal mash-up. For other music: producer_swap_instrumentals." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.SwapVocals


class ProducerSwapInstrumentals(SubmittingTool):
    """Replaces the instrumental of a song."""

    name: str = "producer_swap_instrumentals"
    description: str = (
        "Change the music behind the singing: a new instrumental under the same voice, another band, new beat or "
        "accompaniment, an orchestra, guitar and strings instead of drums. 'Keep my voice, but heavy riffs or a "
        "piano behind it'. Also an instrumental mash-up. For another voice: producer_swap_vocals." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.SwapInstrumentals


class ProducerReplaceSection(SubmittingTool):
    """Replaces one time range of a song."""

    name: str = "producer_replace_section"
    description: str = (
        "Fix one part of a song between two times and leave the rest unchanged: a wrong word or name at 1:12, the "
        "first 20 seconds, a bad solo from 0:45 to 1:05, a mistake, noise. 'It says Monday but should say Sunday',"
        " 'redo only this bit'. Also new lyrics in the middle, another verse or chorus." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.ReplaceSection


class ProducerStemsMusic(SubmittingTool):
    """Separates the vocals and instruments of a song."""

    name: str = "producer_stems_music"
    description: str = (
        "Separate the vocals and the instruments of a song into stems, as files in one zip: to isolate vocals, for"
        " karaoke or playing along without the singer, an acapella, a DJ set, tracks to mix. 'Just the singing, "
        "nothing else', 'the music minus the voice'." + _SUBMITS
    )
    args_schema: type[BaseModel] = requests.StemsMusic
