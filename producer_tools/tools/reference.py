"""The tools that look things up in the pack itself: no request is made, no token is needed."""

import json
from typing import Any, ClassVar

from pydantic import BaseModel

from producer_tools import reference
from producer_tools.output import Output
from producer_tools.requests import NoArguments
from producer_tools.tools.base import ProducerTool


class ReferenceTool(ProducerTool):
    """A tool whose answer is always the same."""

    page: ClassVar[dict[str, Any]]

    args_schema: type[BaseModel] = NoArguments

    async def answer(self, request: NoArguments) -> Output:  # noqa: ARG002 - there is nothing to ask
        """The page."""
        return json.dumps(self.page, ensure_ascii=False, separators=(",", ":")), self.page


class ProducerListModels(ReferenceTool):
    """The eight models."""

    page = reference.MODELS

    name: str = "producer_list_models"
    description: str = "The eight models with tier and use, and which to pick."


class ProducerListActions(ReferenceTool):
    """Every tool and the usual workflows."""

    page = reference.ACTIONS

    name: str = "producer_list_actions"
    description: str = (
        "Every tool, grouped, and the workflows: quick song; lyrics to custom song; long song by extending; cover; "
        "mash-up; fix a section; your own music."
    )


class ProducerGetLyricFormatGuide(ReferenceTool):
    """How lyrics are written."""

    page = reference.LYRIC_FORMAT

    name: str = "producer_get_lyric_format_guide"
    description: str = (
        "How to write lyrics: the section markers, an example, and tips on line length, words, rhymes and leading "
        "into the chorus."
    )
