"""The bodies that the endpoints take, checked by the API's own rules.

The service forgives what its guides' examples and released clients send, and so do these models: a field left out,
``null`` for a value, ``false`` for an unset number. Fields that nobody knows are ignored.
"""

import re
from ipaddress import ip_address
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from producer_tools.requests import Model
from producer_tools.sandbox.errors import ApiError

Action = Literal[
    "generate",
    "cover",
    "extend",
    "variation",
    "swap_vocals",
    "swap_instrumentals",
    "replace_section",
    "stems",
    "upload_cover",
    "upload_extend",
    "upload_replace_section",
]
_NUMBERS = frozenset(
    {
        "continue_at",
        "replace_section_start",
        "replace_section_end",
        "lyrics_strength",
        "sound_strength",
        "weirdness",
        "cover_strength",
    }
)

_WEB_ADDRESS = re.compile(r"https?://[^\s/?#\\]", re.IGNORECASE)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _web_address(url: str) -> str:
    """``url`` as it came, once it is an http(s) address with a host."""
    if not _WEB_ADDRESS.match(url) or not urlsplit(url).hostname:
        raise ValueError("must be an http or https URL")
    return url


def _loopback_address(url: str) -> str:
    """``url`` as it came, once it is empty or points at this machine."""
    host = urlsplit(_web_address(url)).hostname if url else "localhost"
    if host != "localhost" and not _is_loopback(host or ""):
        raise ValueError("must point at this machine (localhost or a loopback address): the sandbox reaches no further")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


Text = Annotated[str, AfterValidator(_not_blank)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
UpperShare = Annotated[float, Field(ge=0.2, le=1, allow_inf_nan=False)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
LoopbackAddress = Annotated[str, AfterValidator(_loopback_address)]


class Body(BaseModel):
    """A request body: no value is bent into another type, unset values may be spelled in several ways."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _forgive(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value
            for name, value in values.items()
            if value is not None and not (value is False and name in _NUMBERS)
        }


class AudiosBody(Body):
    """``/producer/audios``: what to make, and how the result is to be delivered."""

    action: Action
    lyric: str = ""
    prompt: Annotated[str, Field(max_length=200)] = ""
    model: Model = "FUZZ-2.0"
    custom: bool = False
    instrumental: bool = False
    title: str = ""
    audio_id: str = ""
    seed: str = ""
    continue_at: Seconds | None = None
    replace_section_start: Seconds | None = None
    replace_section_end: Seconds | None = None
    lyrics_strength: Share | None = None
    sound_strength: UpperShare | None = None
    weirdness: Share | None = None
    cover_strength: UpperShare | None = None
    at_once: Annotated[bool | None, Field(alias="async")] = None
    callback_url: LoopbackAddress = ""

    @model_validator(mode="after")
    def _fits_action(self) -> "AudiosBody":
        action = self.action.removeprefix("upload_")
        if action == "generate":
            if self.custom and not self.instrumental and not self.lyric.strip():
                raise ValueError("lyric is required when custom is true")
            if not self.custom and not self.prompt.strip() and not self.lyric.strip():
                raise ValueError("prompt is required when custom is false")
        elif not self.audio_id.strip():
            raise ValueError(f"audio_id is required for {self.action}")
        if action == "extend":
            self.position()
        if action == "replace_section":
            self.section()
        return self

    def position(self) -> float:
        """Where to go on from, in seconds.

        Raises:
            ValueError: It is missing.
        """
        if self.continue_at is None:
            raise ValueError(f"continue_at is required for {self.action}")
        return self.continue_at

    def section(self) -> tuple[float, float]:
        """The range to replace, in seconds.

        Raises:
            ValueError: The range is missing, or ends before it starts.
        """
        start, end = self.replace_section_start, self.replace_section_end
        if start is None or end is None:
            raise ValueError(f"replace_section_start and replace_section_end are required for {self.action}")
        if end <= start:
            raise ValueError("replace_section_end must be greater than replace_section_start")
        return start, end

    @property
    def held(self) -> bool:
        """Whether the answer waits for the result."""
        return self.at_once is False or (self.at_once is None and not self.callback_url)


class LyricsBody(Body):
    """``/producer/lyrics``: what the words are to be about."""

    prompt: Text


class UploadBody(Body):
    """``/producer/upload``: where the outside audio lies; nothing is fetched from there."""

    audio_url: WebAddress


class AudioBody(Body):
    """``/producer/videos`` and ``/producer/wav``: the song to convert."""

    audio_id: Text


class TasksBody(Body):
    """``/producer/tasks``: one task by ``id``, or up to 50 by ``ids``."""

    action: Literal["retrieve", "retrieve_batch"]
    id: str = ""
    ids: Annotated[list[Text], Field(max_length=50)] = []

    @model_validator(mode="after")
    def _fits_action(self) -> "TasksBody":
        if self.action == "retrieve" and not self.id.strip():
            raise ValueError("id is required for retrieve")
        if self.action == "retrieve_batch" and not self.ids:
            raise ValueError("ids is required for retrieve_batch")
        return self


AnyBody = TypeVar("AnyBody", bound=Body)


def check(model: type[AnyBody], values: dict[str, Any]) -> AnyBody:
    """Read ``values`` as ``model``.

    Raises:
        ApiError: ``bad_request``, naming the field and the bound that the first fault breaks.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ApiError("bad_request", f"{field}: {message}" if field else message) from None
