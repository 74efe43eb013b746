"""The nine requests that make or change songs: the actions of ``/producer/audios``.

A field's description is what a model reads. What a model must not set (``callback_url``, ``async``) is marked
`InjectedToolArg`: LangChain leaves it out of the schema that a model sees.
"""

from typing import Annotated, Any, ClassVar

from langchain_core.tools import InjectedToolArg
from pydantic import Field, StringConstraints
from pydantic.functional_validators import model_validator
from typing_extensions import Self

from producer_tools.requests.base import AUDIOS, PaidRequest
from producer_tools.requests.fields import (
    AUDIO_ID,
    LONGEST_SECONDS,
    LYRICS_STRENGTH,
    ONE_AUDIO_ID,
    SOUND_STRENGTH,
    UPLOADED,
    WEIRDNESS,
    MaybeBlank,
    ModelName,
    Prompt,
    Seconds,
    SoundStrength,
    Strength,
    Text,
    Url,
    longer_models,
    model_field,
)

DELIVERY = frozenset({"async", "callback_url"})
"""The fields of a body that say how the result is delivered. They do not change what is made."""


class MusicRequest(PaidRequest):
    """One action of ``/producer/audios``."""

    endpoint = AUDIOS
    action: ClassVar[str]

    callback_url: Annotated[Url | None, InjectedToolArg] = None
    async_: Annotated[bool | None, InjectedToolArg] = Field(default=None, alias="async")

    def body(self) -> dict[str, Any]:
        """The JSON body. The spec requires ``lyric`` and ``prompt``; ``custom`` is true if a lyric was given."""
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
        description="Genre, mood, instruments, theme: 'upbeat summer pop, catchy synth', 'epic orchestral film score'."
    )
    model: ModelName = model_field()
    instrumental: bool = Field(default=False, description="No vocals.")
    lyrics_strength: Strength | None = Field(default=None, description=LYRICS_STRENGTH)
    sound_strength: SoundStrength | None = Field(default=None, description=SOUND_STRENGTH)
    weirdness: Strength | None = Field(default=None, description=WEIRDNESS)
    seed: MaybeBlank | None = Field(default=None, description="Same seed, same result.")


class GenerateCustomMusic(MusicRequest):
    """A song from lyrics."""

    action = "generate"

    lyric: Text = Field(
        description="Lyrics with section markers [Intro] [Verse] [Pre-Chorus] [Chorus] [Bridge] [Outro], e.g. "
        "'[Verse]\\nCity lights are fading\\n\\n[Chorus]\\nCarry me home'."
    )
    title: Text = Field(description="Song title.")
    prompt: Prompt = Field(default="", description="Style: genre, mood, instruments, voice, tempo.")
    model: ModelName = model_field()
    instrumental: bool = Field(default=False, description="No vocals; the lyrics are ignored.")
    lyrics_strength: Strength | None = Field(default=None, description=LYRICS_STRENGTH)
    sound_strength: SoundStrength | None = Field(default=None, description=SOUND_STRENGTH)
    weirdness: Strength | None = Field(default=None, description=WEIRDNESS)
    seed: MaybeBlank | None = Field(default=None, description="Same seed, same result.")


class ExtendMusic(MusicRequest):
    """A song, continued from a timestamp."""

    action = "extend"

    audio_id: Text = Field(description=AUDIO_ID)
    continue_at: Seconds = Field(description="Second from which to go on.")
    lyric: MaybeBlank = Field(default="", description="Lyrics of the new part, with section markers.")
    prompt: Prompt = Field(default="", description="Style of the new part; empty keeps the song's.")
    model: ModelName = model_field()
    title: MaybeBlank | None = Field(default=None, description="Title of the longer song.")
    lyrics_strength: Strength | None = Field(default=None, description=LYRICS_STRENGTH)
    sound_strength: SoundStrength | None = Field(default=None, description=SOUND_STRENGTH)
    weirdness: Strength | None = Field(default=None, description=WEIRDNESS)
    uploaded: bool = Field(default=False, description=UPLOADED)

    @model_validator(mode="after")
    def _before_the_longest_song(self) -> Self:
        """Refuse a start at which the model's longest song has ended: the call could only fail."""
        longest = LONGEST_SECONDS[self.model]
        if self.continue_at >= longest:
            longer = longer_models(self.continue_at)
            raise ValueError(
                f"continue_at ({self.continue_at:g} s) must be below {longest} s, the longest song of {self.model}; "
                + (f"these models make longer songs: {', '.join(longer)}" if longer else "no model makes longer songs")
            )
        return self


class CoverMusic(MusicRequest):
    """A song in another style."""

    action = "cover"

    audio_id: Text = Field(description=AUDIO_ID)
    prompt: Prompt = Field(default="", description="Target style: 'smooth jazz, saxophone', 'acoustic folk'.")
    model: ModelName = model_field()
    lyric: MaybeBlank | None = Field(default=None, description="Other lyrics.")
    title: MaybeBlank | None = Field(default=None, description="Title of the cover.")
    cover_strength: SoundStrength | None = Field(default=None, description="How strongly to change (default 1).")
    uploaded: bool = Field(default=False, description=UPLOADED)


class VariationMusic(MusicRequest):
    """Another take of a song."""

    action = "variation"

    audio_id: Text = Field(description=AUDIO_ID)
    prompt: Prompt = Field(default="", description="What to do differently.")
    model: ModelName = model_field()
    lyric: MaybeBlank | None = Field(default=None, description="Other lyrics.")


class SwapVocals(MusicRequest):
    """A song with new vocals."""

    action = "swap_vocals"

    audio_id: Text = Field(description=ONE_AUDIO_ID)
    lyric: MaybeBlank | None = Field(default=None, description="What the new vocals sing.")
    lyrics_strength: Strength | None = Field(default=None, description=LYRICS_STRENGTH)
    weirdness: Strength | None = Field(default=None, description=WEIRDNESS)
    model: ModelName = model_field()


class SwapInstrumentals(MusicRequest):
    """A song with a new instrumental part."""

    action = "swap_instrumentals"

    audio_id: Text = Field(description=ONE_AUDIO_ID)
    prompt: Prompt | None = Field(default=None, description="Style of the new instrumental.")
    sound_strength: SoundStrength | None = Field(default=None, description=SOUND_STRENGTH)
    weirdness: Strength | None = Field(default=None, description=WEIRDNESS)
    model: ModelName = model_field()


class ReplaceSection(MusicRequest):
    """A song with one time range replaced."""

    action = "replace_section"

    audio_id: Text = Field(description=AUDIO_ID)
    replace_section_start: Seconds = Field(description="Start, seconds.")
    replace_section_end: Seconds = Field(description="End, seconds; after the start.")
    lyric: MaybeBlank = Field(default="", description="Lyrics of the new section.")
    prompt: Prompt = Field(default="", description="Style of the new section.")
    model: ModelName = model_field()
    uploaded: bool = Field(default=False, description=UPLOADED)

    @model_validator(mode="after")
    def _end_after_start(self) -> Self:
        if self.replace_section_end <= self.replace_section_start:
            raise ValueError(
                f"replace_section_end ({self.replace_section_end:g} s) must be after "
                f"replace_section_start ({self.replace_section_start:g} s)"
            )
        return self


class StemsMusic(MusicRequest):
    """The separate tracks of a song."""

    action = "stems"

    audio_id: Text = Field(description=AUDIO_ID)
