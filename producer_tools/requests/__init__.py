"""Every call to the API as a pydantic model: the arguments of a tool, their validation, and the JSON body."""

from producer_tools.requests.base import AUDIOS, LYRICS, TASKS, UPLOAD, VIDEOS, WAV, NoArguments, PaidRequest, Request
from producer_tools.requests.fields import LONGEST_SECONDS, Model, default_model
from producer_tools.requests.media import GenerateLyrics, GenerateVideo, GenerateWav, UploadAudio
from producer_tools.requests.music import (
    DELIVERY,
    CoverMusic,
    ExtendMusic,
    GenerateCustomMusic,
    GenerateMusic,
    MusicRequest,
    ReplaceSection,
    StemsMusic,
    SwapInstrumentals,
    SwapVocals,
    VariationMusic,
)
from producer_tools.requests.tasks import GetTask, GetTasksBatch, WaitForTasks

__all__ = [
    "AUDIOS",
    "DELIVERY",
    "LONGEST_SECONDS",
    "LYRICS",
    "TASKS",
    "UPLOAD",
    "VIDEOS",
    "WAV",
    "CoverMusic",
    "ExtendMusic",
    "GenerateCustomMusic",
    "GenerateLyrics",
    "GenerateMusic",
    "GenerateVideo",
    "GenerateWav",
    "GetTask",
    "GetTasksBatch",
    "Model",
    "MusicRequest",
    "NoArguments",
    "PaidRequest",
    "ReplaceSection",
    "Request",
    "StemsMusic",
    "SwapInstrumentals",
    "SwapVocals",
    "UploadAudio",
    "VariationMusic",
    "WaitForTasks",
    "default_model",
]
