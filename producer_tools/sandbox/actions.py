"""The actions of ``/producer/audios``: the song, lyric and title that each one makes."""

from dataclasses import dataclass

from producer_tools.sandbox import lyrics
from producer_tools.sandbox.contract import AudiosBody
from producer_tools.sandbox.errors import ApiError
from producer_tools.sandbox.jobs import Audio
from producer_tools.sandbox.music import Song, compose


@dataclass(frozen=True, slots=True)
class Draft:
    """A new song that has no id yet."""

    song: Song
    title: str
    lyric: str
    prompt: str


def generate(body: AudiosBody, seed: str) -> Draft:
    """A new song. If it is to be sung and ``body`` has no lyric, one is written from the prompt."""
    lyric = "" if body.instrumental else body.lyric or lyrics.write(body.prompt).text
    song = compose(body.prompt, lyric, seed, instrumental=body.instrumental)
    return Draft(song, body.title or lyrics.title(body.prompt or body.lyric), lyric, body.prompt)


def edit(body: AudiosBody, source: Audio, seed: str) -> Draft:
    """``source`` changed as ``body`` asks. Fields that the body leaves out keep their values.

    Raises:
        ApiError: ``bad_request``: an ``upload_`` action on a song, or on an upload the action for songs.
    """
    action = _checked_action(body, source)
    song, lyric, prompt = source.song, body.lyric or source.lyric, body.prompt or source.prompt
    title = body.title or f"{source.title} (Sandbox {action.replace('_', ' ')})"
    match action:
        case "extend":
            lyric = _joined(source.lyric, body.lyric)
            song = song.extended(body.position(), body.prompt, body.lyric, seed)
        case "cover":
            song = song.covered(body.prompt, body.lyric, seed)
        case "variation":
            song = song.varied(body.prompt, body.lyric, seed)
        case "swap_vocals":
            song = song.with_new_vocals(lyric, seed)
        case "swap_instrumentals":
            lyric = source.lyric
            song = song.with_new_backing(body.prompt, seed)
        case "replace_section":
            lyric = _joined(source.lyric, body.lyric)
            song = song.with_section(*body.section(), body.prompt, body.lyric, seed)
    return Draft(song, title, lyric, prompt)


def _checked_action(body: AudiosBody, source: Audio) -> str:
    """The action without ``upload_``, after checking that the prefix fits the source."""
    plain = body.action.removeprefix("upload_")
    if source.uploaded and body.action in {"cover", "extend", "replace_section"}:
        raise ApiError("bad_request", f"audio {source.id} was uploaded: use the action upload_{plain}")
    if not source.uploaded and body.action != plain:
        raise ApiError("bad_request", f"audio {source.id} was not uploaded: use the action {plain}")
    return plain


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
