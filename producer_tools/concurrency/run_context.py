"""Work that sees the config of its LangChain run, on every version of Python."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import set_config_context

from producer_tools.concurrency.exits import outcome_of, result_in

T = TypeVar("T")


async def in_run(config: RunnableConfig, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do the work where LangChain's ``ensure_config()``, and LangGraph's interrupts and writers, find this config.

    Before Python 3.11, an async tool or node does not inherit the context in which they find it.
    """
    with set_config_context(config) as context:
        return result_in(await context.run(lambda: asyncio.ensure_future(outcome_of(work))))
