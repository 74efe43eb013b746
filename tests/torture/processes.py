"""Processes that start in milliseconds: forked from one that has imported everything, and runs no threads."""

import multiprocessing
from multiprocessing.context import ForkServerContext

# Only what is installed: older Pythons do not tell that process where the tests are.
_IMPORTED = ["langgraph.checkpoint.sqlite", "langgraph.graph.message", "langgraph.prebuilt", "producer_tools.toolkit"]


def quick_starts() -> ForkServerContext:
    """The way to start them. The first one takes as long as the imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    return context
