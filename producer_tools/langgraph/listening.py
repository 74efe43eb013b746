"""Lets the model of an agent hear the songs that were saved. Needs the extra ``agent``."""

import os
from collections.abc import Awaitable, Callable
from typing import Any, cast

from producer_tools.errors.missing_extra import needing_extra
from producer_tools.files.downloads import DEFAULT_DIRECTORY
from producer_tools.tools.listening import Listener

with needing_extra("agent", "producer_tools.langgraph.listening"):
    from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
    from langchain_core.messages import AnyMessage
    from langchain_core.runnables import Runnable


class ListenMiddleware(AgentMiddleware[Any, Any, Any]):
    """Lets the model of ``create_agent`` hear each song once, in the call after ``producer_download_results``.

    The toolkit needs ``listen=True``. `producer_tools.Listener` says which songs are added to the call, and how. They
    are in no state, checkpoint or later call. A model that does not take audio is called as without this middleware.
    Put it last in the list, so that no other middleware exchanges the model or the messages after it.

    Args:
        directory: the toolkit's ``download_dir``. Files elsewhere are not read.
        hears: whether the model takes audio; by default what its ``profile`` says about ``audio_inputs``, and no if
            that is not known.
    """

    def __init__(self, directory: str | os.PathLike[str] = DEFAULT_DIRECTORY, *, hears: bool | None = None) -> None:
        super().__init__()
        self._listener = Listener(directory, hears=hears)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Call the model with the audio."""
        messages = self._listener.with_audio_sync(request.messages, _as_called(request))
        return handler(request.override(messages=cast("list[AnyMessage]", messages)))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Call the model with the audio."""
        messages = await self._listener.with_audio(request.messages, _as_called(request))
        return await handler(request.override(messages=cast("list[AnyMessage]", messages)))


def _as_called(request: ModelRequest[Any]) -> Runnable[Any, Any]:
    """The model with the options of its call. Some of them let OpenAI's models use an API that takes no audio."""
    return request.model.bind(**{**request.model_settings, "tools": request.tools})
