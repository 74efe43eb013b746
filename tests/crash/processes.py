"""Processes that start in milliseconds: forked from a server process that has done the imports and runs no threads."""

import multiprocessing
from multiprocessing.context import ForkServerContext

# Only installed packages: Python 3.10 does not tell the server process where the tests are.
_IMPORTED = [
    "langgraph.checkpoint.sqlite.aio",
    "langgraph.graph.message",
    "langgraph.prebuilt",
    "producer_tools.langgraph",
    "producer_tools.tools.toolkit",
]


def quick_starts() -> ForkServerContext:
    """A multiprocessing context for such processes. The first start takes as long as the imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    return context
