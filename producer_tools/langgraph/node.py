"""The base class of all nodes. Each node is written once, async, and runs in sync and async graphs."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config
from langgraph.runtime import Runtime, get_runtime

from producer_tools.concurrency.run_context import in_run
from producer_tools.concurrency.sync import run_sync

Update = dict[str, Any]
"""The changes that a node makes to the state."""


class Node(Runnable[Any, Update]):
    """A node for any ``StateGraph``. Subclasses implement `update`."""

    @abstractmethod
    async def update(self, state: Mapping[str, Any], config: RunnableConfig, runtime: Runtime[Any] | None) -> Update:
        """Do the node's work.

        Args:
            state: the graph's state.
            config: the config of this run.
            runtime: LangGraph's runtime; ``None`` outside a graph.

        Returns:
            The changes to the state.
        """

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Update:
        """Run the node in a sync graph."""
        return run_sync(lambda: self.ainvoke(input, config))

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Update:
        """Run the node in an async graph."""
        config = ensure_config(config)
        return await in_run(config, lambda: self._update(input, config))

    async def _update(self, state: Mapping[str, Any], config: RunnableConfig) -> Update:
        return await self.update(state, config, get_runtime())
