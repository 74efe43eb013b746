"""The one base class of the nodes: each is written once, async, and runs in sync and async graphs alike."""

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config, set_config_context
from langgraph.runtime import Runtime, get_runtime

from producer_tools.bridge import run_sync

Update = dict[str, Any]
"""What a node writes into the state."""


class Node(Runnable[Any, Update]):
    """A node for any ``StateGraph``. Subclasses say in `update` what it does."""

    @abstractmethod
    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Runtime[Any] | None) -> Update:
        """Do what the node is for.

        Args:
            state: the graph's state.
            config: of this run.
            runtime: LangGraph's; ``None`` outside a graph.

        Returns:
            What changes in the state.
        """

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Update:
        """Run the node in a sync graph."""
        return run_sync(lambda: self.ainvoke(input, config))

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Update:
        """Run the node in an async graph."""
        config = ensure_config(config)
        with set_config_context(config) as context:
            # LangGraph looks into the context for its stream and its interrupts, and before Python 3.11 an async
            # node's own context does not have them.
            return await context.run(asyncio.ensure_future, self._update(input, config))

    async def _update(self, state: Mapping[str, Any], config: RunnableConfig) -> Update:
        return await self.update(state, config, get_runtime())
