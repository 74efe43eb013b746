"""All tools, in the order in which a model reads them."""

from producer_tools.requests import PaidRequest
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
from producer_tools.tools.reference import ProducerGetLyricFormatGuide, ProducerListActions, ProducerListModels
from producer_tools.tools.tasks import ProducerGetTask, ProducerGetTasksBatch, ProducerWaitForTasks

ALL_TOOLS: tuple[type[ProducerTool], ...] = (
    ProducerGenerateMusic,
    ProducerGenerateCustomMusic,
    ProducerExtendMusic,
    ProducerCoverMusic,
    ProducerVariationMusic,
    ProducerSwapVocals,
    ProducerSwapInstrumentals,
    ProducerReplaceSection,
    ProducerStemsMusic,
    ProducerGenerateLyrics,
    ProducerUploadAudio,
    ProducerGenerateVideo,
    ProducerGenerateWav,
    ProducerWaitForTasks,
    ProducerGetTask,
    ProducerGetTasksBatch,
    ProducerDownloadResults,
    ProducerListModels,
    ProducerListActions,
    ProducerGetLyricFormatGuide,
)

PAID_REQUESTS: dict[str, type[PaidRequest]] = {
    tool.model_fields["name"].default: schema
    for tool in ALL_TOOLS
    if issubclass(schema := tool.model_fields["args_schema"].default, PaidRequest)
}
"""The arguments of each paid tool, by the tool's name."""
