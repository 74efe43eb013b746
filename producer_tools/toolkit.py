"""The entry: a toolkit that lists the tools and shares one client among them."""

from types import TracebackType
from typing import Any

from langchain_core.tools import BaseTool, BaseToolkit
from pydantic import ConfigDict, Field
from typing_extensions import Self

from producer_tools.client import ProducerClient
from producer_tools.progress import OnProgress
from producer_tools.tools import ALL_TOOLS, ProducerTool, ProducerWaitForTasks


class ProducerToolkit(BaseToolkit):
    """All tools of the pack, over one client.

    Args:
        client: what the tools talk through; default a client from the environment. A missing token is an error at
            the first call, not here.
        on_progress: called with each change of each task that a tool waits for.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    client: ProducerClient = Field(default_factory=ProducerClient, exclude=True, repr=False)
    on_progress: OnProgress | None = Field(default=None, exclude=True, repr=False)

    def get_tools(self) -> list[BaseTool]:
        """The tools, sharing the client."""
        settings: dict[type[ProducerTool], dict[str, Any]] = {ProducerWaitForTasks: {"on_progress": self.on_progress}}
        return [tool(client=self.client, **settings.get(tool, {})) for tool in ALL_TOOLS]

    async def aclose(self) -> None:
        """Close the client's sessions; a session given to the client by the caller stays open."""
        await self.client.aclose()

    def close(self) -> None:
        """Close the client's sessions, from sync code."""
        self.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
