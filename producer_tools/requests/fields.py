"""The types, ranges and descriptions that the arguments of several tools share."""

import os
import re
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, Field, StringConstraints, TypeAdapter

from producer_tools.errors import ConfigurationError

Model = Literal[
    "FUZZ-2.0 Pro",
    "FUZZ-2.0",
    "FUZZ-2.0 Raw",
    "FUZZ-1.1 Pro",
    "FUZZ-1.0 Pro",
    "FUZZ-1.0",
    "FUZZ-1.1",
    "FUZZ-0.8",
]
"""The eight models of the API (spec)."""

LONGEST_SECONDS: dict[Model, int] = {
    "FUZZ-2.0 Pro": 480,
    "FUZZ-2.0": 480,
    "FUZZ-2.0 Raw": 480,
    "FUZZ-1.1 Pro": 240,
    "FUZZ-1.0 Pro": 240,
    "FUZZ-1.0": 120,
    "FUZZ-1.1": 240,
    "FUZZ-0.8": 120,
}
"""The longest song of each model, in seconds (nexior)."""

MODEL_VARIABLE = "PRODUCER_DEFAULT_MODEL"
_MODEL: Model = "FUZZ-2.0"

_http_url = TypeAdapter(AnyHttpUrl)


def _check_url(url: str) -> str:
    """Accept an http(s) URL and return it unchanged: pydantic would normalise it, but it is sent as it was given."""
    _http_url.validate_python(url)
    if not re.match(r"https?://[^\s/?#\\]", url, re.IGNORECASE):
        raise ValueError("Input should be a valid URL that begins with http:// or https:// and a host")
    return url


def _whole_name(given: Any) -> Any:
    """The API's name of a model that was given without ``FUZZ-`` or in another case. Pydantic refuses what is left."""
    wanted = str(given).strip().lower().removeprefix("fuzz").lstrip("- ")
    return next((model for model in get_args(Model) if model.lower() == f"fuzz-{wanted}"), given)


ModelName = Annotated[Model, BeforeValidator(_whole_name)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
MaybeBlank = Annotated[str, StringConstraints(strip_whitespace=True)]
Url = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_check_url)]
Prompt = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Strength = Annotated[float, Field(ge=0, le=1)]
SoundStrength = Annotated[float, Field(ge=0.2, le=1)]

AUDIO_ID = "Of a result, not the task id."
ONE_AUDIO_ID = f"{AUDIO_ID} One only: the API takes no second song."
LYRICS_STRENGTH = "Closeness to the lyrics."
SOUND_STRENGTH = "Closeness to the style."
WEIRDNESS = "How experimental (default 0.5)."
UPLOADED = "True for an upload's audio_id."


def default_model() -> Model:
    """``PRODUCER_DEFAULT_MODEL``, else ``FUZZ-2.0`` (spec).

    Raises:
        ConfigurationError: the variable names no model of the API.
    """
    value = os.environ.get(MODEL_VARIABLE) or _MODEL
    model: Model = _whole_name(value)
    if model in get_args(Model):
        return model
    raise ConfigurationError(
        "configuration", f"{MODEL_VARIABLE} must be one of {', '.join(get_args(Model))}; it is {value!r}."
    )


def longer_models(seconds: float) -> list[Model]:
    """The models whose longest song is longer than this many seconds."""
    return [model for model, longest in LONGEST_SECONDS.items() if longest > seconds]


def model_field() -> Any:
    """The field ``model``. Its default is read from the environment at each call."""
    return Field(
        default_factory=default_model,
        description="FUZZ-2.0 (default), 2.0 Pro (best quality), 2.0 Raw (unprocessed), 1.1 Pro, 1.1, 1.0 Pro, 1.0, "
        "0.8.",
    )
