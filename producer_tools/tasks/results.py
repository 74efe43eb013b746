"""The keys of a result: where each comes from in a record, its longest text, who sees it, which URLs lead to files."""

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypedDict

from producer_tools.http.safe_text import LONGEST_ID

LONGEST_URL = 8192
"""Characters of a URL. Signed URLs of storage services have one to two thousand; servers refuse more than 8 KB."""

LONGEST_LINE = 500
"""Characters of a title."""

LONGEST_DESCRIPTION = 2000
"""Characters of a style, and of an error's message. A prompt has at most 200 (spec)."""

LONGEST_LYRICS = 20_000
"""Characters of lyrics. Eight minutes, the longest song, at five words a second are some 15,000."""

DAYS_KEPT = 90
"""Days for which the service keeps the files of a result (faq)."""

Kind = Literal["audio", "wav", "video", "stems", "stem", "cover"]
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
        longest: the most characters of its text; the rest is cut.
        shown: whether a model sees it: in every content, only in the content of a single task, or not at all. The
            artifact has every key.
        reviewed: whether a model that reviews a song sees it.
        file: the kind of file that the URL leads to.
    """

    name: str
    fields: tuple[str, ...]
    longest: int
    shown: Literal["always", "single", "never"]
    reviewed: bool = False
    file: Kind | None = None


RESULT_KEYS = (
    ResultKey("audio_id", ("id", "audio_id"), LONGEST_ID, "always", reviewed=True),
    ResultKey("title", ("title",), LONGEST_LINE, "always", reviewed=True),
    ResultKey("audio_url", ("audio_url",), LONGEST_URL, "always", file="audio"),
    ResultKey("duration_seconds", ("duration",), LONGEST_ID, "always", reviewed=True),
    ResultKey("file_url", ("file_url",), LONGEST_URL, "always", file="wav"),
    ResultKey("video_url", ("video_url",), LONGEST_URL, "always", file="video"),
    ResultKey("stems_url", ("stems_url",), LONGEST_URL, "always", file="stems"),
    ResultKey("image_url", ("image_url",), LONGEST_URL, "single", file="cover"),
    ResultKey("style", ("style",), LONGEST_DESCRIPTION, "never", reviewed=True),
    ResultKey("sound", ("sound",), LONGEST_DESCRIPTION, "never", reviewed=True),
    ResultKey("lyrics", ("lyrics", "text"), LONGEST_LYRICS, "always"),
    ResultKey("lyric", ("lyric",), LONGEST_LYRICS, "single", reviewed=True),
    ResultKey("model", ("model",), LONGEST_ID, "single", reviewed=True),
    ResultKey("seed", ("seed",), LONGEST_ID, "single"),
    ResultKey("image_id", ("image_id",), LONGEST_ID, "never"),
    ResultKey("created_at", ("created_at",), LONGEST_ID, "never"),
)
"""All keys, in the order in which a model reads them and files are saved."""


def has_files(results: Iterable[Result]) -> bool:
    """Whether any of these results has a file."""
    return any(result.get(key.name) for result in results for key in RESULT_KEYS if key.file)
