"""The request bodies that the endpoints accept, checked by the API's rules.

Like the service, these models accept what the examples in its guides and released clients send although the contract
does not allow it: a missing field, ``null`` for a value, ``false`` for an unset number. Unknown fields are ignored.
"""

import re
from ipaddress import ip_address
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

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

_HTTP_URL = re.compile(r"https?://[^\s/?#\\]", re.IGNORECASE)


def _check_not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _check_http_url(url: str) -> str:
    """``url`` unchanged, after checking that it is an http(s) URL with a host."""
    if not _HTTP_URL.match(url) or not urlsplit(url).hostname:
        raise ValueError("must be an http or https URL")
    return url


def _check_loopback_url(url: str) -> str:
    """``url`` unchanged, after checking that it is empty or points at this machine."""
    host = urlsplit(_check_http_url(url)).hostname if url else "localhost"
    if host != "localhost" and not _is_loopback(host or ""):
        raise ValueError("must point at this machine (localhost or a loopback address): the sandbox reaches no further")
    return url


def _read_integer(value: object) -> object:
    """A whole number written with a decimal point as an int: JSON does not tell 1.0 from 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


Text = Annotated[str, AfterValidator(_check_not_blank)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Integer = Annotated[int, BeforeValidator(_read_integer)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
UpperShare = Annotated[float, Field(ge=0.2, le=1, allow_inf_nan=False)]
WebUrl = Annotated[str, AfterValidator(_check_http_url)]
LoopbackUrl = Annotated[str, AfterValidator(_check_loopback_url)]


class Body(BaseModel):
    """A request body. Values are not converted to another type; unset values may be written in several ways."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _drop_unset(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value
            for name, value in values.items()
            if value is not None and not (value is False and name in _NUMBERS)
        }


class AudiosBody(Body):
    """``/producer/audios``: what to make, and how to deliver the result."""

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
    async_: Annotated[bool | None, Field(alias="async")] = None
    callback_url: LoopbackUrl = ""

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
        """Where to continue, in seconds.

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
    def synchronous(self) -> bool:
        """Whether the request is answered only when the result is there."""
        return self.async_ is False or (self.async_ is None and not self.callback_url)


class LyricsBody(Body):
    """``/producer/lyrics``: what the lyrics are about."""

    prompt: Text


class UploadBody(Body):
    """``/producer/upload``: the URL of the outside audio; the sandbox does not fetch it."""

    audio_url: WebUrl


class AudioBody(Body):
    """``/producer/videos`` and ``/producer/wav``: the song to convert."""

    audio_id: Text


class TasksBody(Body):
    """``/producer/tasks``: one task by ``id``, up to 50 by ``ids``, or without either a list of the account's tasks."""

    action: Literal["retrieve", "retrieve_batch"]
    id: str = ""
    ids: Annotated[list[Text], Field(max_length=50)] = []
    type: Text = ""
    limit: Annotated[Integer, Field(ge=1)] | None = None
    offset: Annotated[Integer, Field(ge=0)] = 0
    created_at_min: Seconds | None = None
    created_at_max: Seconds | None = None
    user_id: Text = ""
    application_id: Text = ""

    @model_validator(mode="after")
    def _fits_action(self) -> "TasksBody":
        if self.action == "retrieve" and not self.id.strip():
            raise ValueError("id is required for retrieve")
        if self.action == "retrieve_batch" and not self.ids and self.model_fields_set & {"id", "ids"}:
            raise ValueError("ids is required for retrieve_batch, unless the account's tasks are to be listed")
        return self

    @property
    def is_listing(self) -> bool:
        """Whether the body asks for a list of the account's tasks."""
        return self.action == "retrieve_batch" and not self.ids


AnyBody = TypeVar("AnyBody", bound=Body)


def check(model: type[AnyBody], values: dict[str, Any]) -> AnyBody:
    """Parse ``values`` as ``model``.

    Raises:
        ApiError: ``bad_request``, which names the first invalid field and what is wrong with it.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ApiError("bad_request", f"{field}: {message}" if field else message) from None
