"""The keys of a result: where each comes from in a record, who gets to see it, and which URLs lead to files."""

from typing import Literal, NamedTuple, TypedDict

Kind = Literal["audio", "wav", "video", "stems", "cover"]
"""What kind of file a URL of a result leads to."""


class Result(TypedDict, total=False):
    """One finished item: a song, stems, a video, a WAV file, lyrics or an upload. A key without a value is absent."""

    audio_id: str
    title: str
    audio_url: str
    duration_seconds: float
    image_url: str
    video_url: str
    stems_url: str
    file_url: str
    lyrics: str
    lyric: str
    model: str
    seed: str
    style: str
    sound: str
    image_id: str
    created_at: str


class ResultKey(NamedTuple):
    """What is decided about one key of a `Result`.

    Attributes:
        name: the key.
        fields: the fields of a record's item that it is read from; the first one with a value is used.
        shown: whether a model sees it: in every content, only in the content of a single task, or not at all. The
            artifact has every key.
        reviewed: whether a model that reviews a song sees it.
        file: the kind of file that the URL leads to.
    """

    name: str
    fields: tuple[str, ...]
    shown: Literal["always", "single", "never"]
    reviewed: bool = False
    file: Kind | None = None


RESULT_KEYS = (
    ResultKey("audio_id", ("id", "audio_id"), "always", reviewed=True),
    ResultKey("title", ("title",), "always", reviewed=True),
    ResultKey("audio_url", ("audio_url",), "always", file="audio"),
    ResultKey("duration_seconds", ("duration",), "always", reviewed=True),
    ResultKey("file_url", ("file_url",), "always", file="wav"),
    ResultKey("video_url", ("video_url",), "always", file="video"),
    ResultKey("stems_url", ("stems_url",), "always", file="stems"),
    ResultKey("image_url", ("image_url",), "single", file="cover"),
    ResultKey("style", ("style",), "never", reviewed=True),
    ResultKey("sound", ("sound",), "never", reviewed=True),
    ResultKey("lyrics", ("lyrics", "text"), "always"),
    ResultKey("lyric", ("lyric",), "single", reviewed=True),
    ResultKey("model", ("model",), "single", reviewed=True),
    ResultKey("seed", ("seed",), "single"),
    ResultKey("image_id", ("image_id",), "never"),
    ResultKey("created_at", ("created_at",), "never"),
)
"""All keys, in the order in which a model reads them and files are saved."""
