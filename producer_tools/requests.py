"""The arguments of every call to the API: args schemas for LangChain, their cross-field rules, and the wire bodies.

A field's description is what a model reads of it. What a model must not set (`callback_url`, `async`) is marked
`InjectedToolArg`: LangChain leaves it out of the schema that a model sees.
"""

import re
from typing import Annotated, Any, ClassVar, NamedTuple

from langchain_core.tools import InjectedToolArg
from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    TypeAdapter,
)
from pydantic.functional_validators import model_validator
from pydantic.json_schema import SkipJsonSchema
from typing_extensions import Self

from producer_tools.config import Model, default_model


class Endpoint(NamedTuple):
    """One address of the API.

    Attributes:
        path: below the base URL.
        paid: whether a call may cost money (api: what is not known to be free is treated as paid).
    """

    path: str
    paid: bool


AUDIOS = Endpoint("/producer/audios", paid=True)
LYRICS = Endpoint("/producer/lyrics", paid=True)
UPLOAD = Endpoint("/producer/upload", paid=True)
VIDEOS = Endpoint("/producer/videos", paid=True)
WAV = Endpoint("/producer/wav", paid=True)
TASKS = Endpoint("/producer/tasks", paid=False)

_http_url = TypeAdapter(AnyHttpUrl)


def _check_url(url: str) -> str:
    """Refuse what is no http(s) URL, and keep the rest to the letter: also what pydantic would mend, for it is sent."""
    _http_url.validate_python(url)
    if not re.match(r"https?://[^\s/?#\\]", url, re.IGNORECASE):
        raise ValueError("Input should be a valid URL that begins with http:// or https:// and a host")
    return url


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Url = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_check_url)]
Prompt = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _optional(description: str) -> Any:
    """A field that may be left out; the factory keeps ``"default": null`` out of the schema a model pays for."""
    return Field(default_factory=lambda: None, description=description)


def _model() -> Any:
    return Field(
        default_factory=default_model,
        description="Default FUZZ-2.0; best quality: FUZZ-2.0 Pro; unprocessed: FUZZ-2.0 Raw.",
    )


# LangGraph fills this in where there is a graph; the serializer keeps its state from being copied with each call.
Runtime = Annotated[Any, InjectedToolArg, PlainSerializer(lambda _: None)]
Strength = Annotated[float, Field(ge=0, le=1)] | SkipJsonSchema[None]
SoundStrength = Annotated[float, Field(ge=0.2, le=1)] | SkipJsonSchema[None]
MaybeBlank = Annotated[str, StringConstraints(strip_whitespace=True)]
OptionalText = MaybeBlank | SkipJsonSchema[None]
OptionalPrompt = Prompt | SkipJsonSchema[None]

_AUDIO_ID = "`audio_id` of an earlier result (not the task id)."
_LYRICS_STRENGTH = "How closely to follow the lyrics."
_SOUND_STRENGTH = "How closely to follow the style."
_WEIRDNESS = "How experimental (0.5 if left out)."
_UPLOADED = "True if audio_id came from producer_upload_audio."


class Request(BaseModel):
    """One call to the API: checked before anything is sent, then turned into its wire body."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, coerce_numbers_to_str=True, frozen=True)

    endpoint: ClassVar[Endpoint]

    def body(self) -> dict[str, Any]:
        """The JSON body: what was given, without nulls and blanks."""
        fields = self.model_dump(by_alias=True, exclude_none=True)
        return {name: value for name, value in fields.items() if value != ""}


_OURS = ("submission_key", "runtime")


class PaidRequest(Request):
    """A call that costs money.

    Attributes:
        submission_key: the application's own name for this wish: the same key never pays twice. In a graph the tool
            call is the key, where none is given.
        runtime: LangGraph's, filled in where there is a graph.
    """

    submission_key: Annotated[Text | None, InjectedToolArg] = None
    runtime: Runtime = None

    def body(self) -> dict[str, Any]:
        """The JSON body: what was given, without nulls and blanks."""
        return {name: value for name, value in super().body().items() if name not in _OURS}


class MusicRequest(PaidRequest):
    """One action of ``/producer/audios``."""

    endpoint = AUDIOS
    action: ClassVar[str]

    callback_url: Annotated[Url | None, InjectedToolArg] = None
    async_: Annotated[bool | None, InjectedToolArg] = Field(default=None, alias="async")

    def body(self) -> dict[str, Any]:
        """The JSON body. ``lyric`` and ``prompt`` are always there (spec); ``custom`` says that a lyric was given."""
        given = super().body()
        uploaded = given.pop("uploaded", False)
        body = {"action": f"upload_{self.action}" if uploaded else self.action, "lyric": "", "prompt": "", **given}
        if body["lyric"]:
            body["custom"] = True
        if "callback_url" not in body:
            body.setdefault("async", True)
        return body


class GenerateMusic(MusicRequest):
    """A song from a description."""

    action = "generate"

    prompt: Annotated[Prompt, StringConstraints(min_length=1)] = Field(
        description="Genre, mood, instruments, theme: 'upbeat summer pop, catchy synth', 'calm piano jazz for a rainy "
        "night', 'epic orchestral film score, strings and brass'."
    )
    model: Model = _model()
    instrumental: bool = Field(default=False, description="No vocals.")
    lyrics_strength: Strength = _optional(_LYRICS_STRENGTH)
    sound_strength: SoundStrength = _optional(_SOUND_STRENGTH)
    weirdness: Strength = _optional(_WEIRDNESS)
    seed: OptionalText = _optional("Same seed, same result.")


class GenerateCustomMusic(MusicRequest):
    """A song from lyrics."""

    action = "generate"

    lyric: Text = Field(
        description="Lyrics with markers [Intro] [Verse] [Pre-Chorus] [Chorus] [Bridge] [Outro], e.g. "
        "'[Verse]\\nCity lights are fading\\n\\n[Chorus]\\nCarry me home'."
    )
    title: Text = Field(description="Song title.")
    prompt: Prompt = Field(default="", description="Style: genre, mood, instruments, voice, tempo.")
    model: Model = _model()
    instrumental: bool = Field(default=False, description="No vocals; the lyrics are ignored.")
    lyrics_strength: Strength = _optional(_LYRICS_STRENGTH)
    sound_strength: SoundStrength = _optional(_SOUND_STRENGTH)
    weirdness: Strength = _optional(_WEIRDNESS)
    seed: OptionalText = _optional("Same seed, same result.")


class ExtendMusic(MusicRequest):
    """A song that goes on from a timestamp."""

    action = "extend"

    audio_id: Text = Field(description=_AUDIO_ID)
    continue_at: Seconds = Field(description="Second from which to go on.")
    lyric: MaybeBlank = Field(default="", description="Lyrics of the new part, with section markers.")
    prompt: Prompt = Field(default="", description="Style of the new part; empty keeps the song's.")
    model: Model = _model()
    title: OptionalText = _optional("Title of the longer song.")
    lyrics_strength: Strength = _optional(_LYRICS_STRENGTH)
    sound_strength: SoundStrength = _optional(_SOUND_STRENGTH)
    weirdness: Strength = _optional(_WEIRDNESS)
    uploaded: bool = Field(default=False, description=_UPLOADED)


class CoverMusic(MusicRequest):
    """A song in another style."""

    action = "cover"

    audio_id: Text = Field(description=_AUDIO_ID)
    prompt: Prompt = Field(default="", description="Target style: 'smooth jazz, saxophone', 'acoustic folk'.")
    model: Model = _model()
    lyric: OptionalText = _optional("Other lyrics.")
    title: OptionalText = _optional("Title of the cover.")
    cover_strength: SoundStrength = _optional("How strongly to change (1 if left out).")
    uploaded: bool = Field(default=False, description=_UPLOADED)


class VariationMusic(MusicRequest):
    """Another take of a song."""

    action = "variation"

    audio_id: Text = Field(description=_AUDIO_ID)
    prompt: Prompt = Field(default="", description="What to do differently.")
    model: Model = _model()
    lyric: OptionalText = _optional("Other lyrics.")


class SwapVocals(MusicRequest):
    """A song sung anew."""

    action = "swap_vocals"

    audio_id: Text = Field(description=_AUDIO_ID)
    lyric: OptionalText = _optional("What the new vocals sing.")
    lyrics_strength: Strength = _optional(_LYRICS_STRENGTH)
    weirdness: Strength = _optional(_WEIRDNESS)
    model: Model = _model()


class SwapInstrumentals(MusicRequest):
    """A song played anew."""

    action = "swap_instrumentals"

    audio_id: Text = Field(description=_AUDIO_ID)
    prompt: OptionalPrompt = _optional("Style of the new instrumental.")
    sound_strength: SoundStrength = _optional(_SOUND_STRENGTH)
    weirdness: Strength = _optional(_WEIRDNESS)
    model: Model = _model()


class ReplaceSection(MusicRequest):
    """A song with one time range made anew."""

    action = "replace_section"

    audio_id: Text = Field(description=_AUDIO_ID)
    replace_section_start: Seconds = Field(description="Start, seconds.")
    replace_section_end: Seconds = Field(description="End, seconds; after the start.")
    lyric: MaybeBlank = Field(default="", description="Lyrics of the new section.")
    prompt: Prompt = Field(default="", description="Style of the new section.")
    model: Model = _model()
    uploaded: bool = Field(default=False, description=_UPLOADED)

    @model_validator(mode="after")
    def _end_after_start(self) -> Self:
        if self.replace_section_end <= self.replace_section_start:
            raise ValueError(
                f"replace_section_end ({self.replace_section_end:g} s) must be after "
                f"replace_section_start ({self.replace_section_start:g} s)"
            )
        return self


class StemsMusic(MusicRequest):
    """A song taken apart."""

    action = "stems"

    audio_id: Text = Field(description=_AUDIO_ID)


class GenerateLyrics(PaidRequest):
    """Lyrics from a description."""

    endpoint = LYRICS

    prompt: Text = Field(
        description="Theme, mood, genre, elements: 'romantic ballad about lost love and rain', 'hip-hop about never "
        "giving up'."
    )


class UploadAudio(PaidRequest):
    """Audio from outside."""

    endpoint = UPLOAD

    audio_url: Url = Field(description="Public http(s) URL of an mp3, reachable without login.")


class GenerateVideo(PaidRequest):
    """A video of a song."""

    endpoint = VIDEOS

    audio_id: Text = Field(description=_AUDIO_ID)


class GenerateWav(PaidRequest):
    """A WAV file of a song."""

    endpoint = WAV

    audio_id: Text = Field(description=_AUDIO_ID)


class GetTask(Request):
    """A look at one task."""

    endpoint = TASKS

    task_id: Text = Field(description="From any submitting tool.")

    def body(self) -> dict[str, Any]:
        """The JSON body of a look-up."""
        return {"id": self.task_id, "action": "retrieve"}


class GetTasksBatch(Request):
    """A look at many tasks."""

    endpoint = TASKS

    task_ids: list[Text] = Field(min_length=1, description="From any submitting tools.")

    def body(self) -> dict[str, Any]:
        """The JSON body of a look-up."""
        return {"ids": self.task_ids, "action": "retrieve_batch"}


class WaitForTasks(GetTasksBatch):
    """A wait for tasks."""

    timeout_seconds: float = Field(default=300, gt=0, le=1800, description="Longest wait; most songs take 20-50 s.")
    runtime: Runtime = None


class NoArguments(BaseModel):
    """Nothing to give."""

    model_config = ConfigDict(extra="forbid")
