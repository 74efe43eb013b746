"""The LangChain tools."""

from producer_tools.tools.base import ProducerTool
from producer_tools.tools.files import ProducerDownloadResults
from producer_tools.tools.lyrics import ProducerGenerateLyrics
from producer_tools.tools.media import ProducerGenerateVideo, ProducerGenerateWav, ProducerUploadAudio
from producer_tools.tools.music import (
    ProducerCoverMusic,
    ProducerExtendMusic,
    ProducerGenerateCustomMusic,
    ProducerGenerateMusic,
    ProducerReplaceSection,
    ProducerStemsMusic,
    ProducerSwapInstrumentals,
    ProducerSwapVocals,
    ProducerVariationMusic,
)
from producer_tools.tools.paid import ProducerListPaidTasks
from producer_tools.tools.reference import ProducerGetLyricFormatGuide, ProducerListActions, ProducerListModels
from producer_tools.tools.tasks import ProducerGetTask, ProducerGetTasksBatch, ProducerWaitForTasks

__all__ = [
    "ProducerCoverMusic",
    "ProducerDownloadResults",
    "ProducerExtendMusic",
    "ProducerGenerateCustomMusic",
    "ProducerGenerateLyrics",
    "ProducerGenerateMusic",
    "ProducerGenerateVideo",
    "ProducerGenerateWav",
    "ProducerGetLyricFormatGuide",
    "ProducerGetTask",
    "ProducerGetTasksBatch",
    "ProducerListActions",
    "ProducerListModels",
    "ProducerListPaidTasks",
    "ProducerReplaceSection",
    "ProducerStemsMusic",
    "ProducerSwapInstrumentals",
    "ProducerSwapVocals",
    "ProducerTool",
    "ProducerUploadAudio",
    "ProducerVariationMusic",
    "ProducerWaitForTasks",
]
