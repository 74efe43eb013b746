"""The entry: a toolkit that lists the tools and shares one client among them."""

from types import TracebackType

from langchain_core.tools import BaseTool, BaseToolkit
from pydantic import ConfigDict, Field
from typing_extensions import Self

from producer_tools.client import ProducerClient
from producer_tools.tools import ALL_TOOLS


class ProducerToolkit(BaseToolkit):
    """All tools of the pack, over one client.

    Args:
        client: what the tools talk through; default a client from the environment. A missing token is an error at
            the first call, not here.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    client: ProducerClient = Field(default_factory=ProducerClient, exclude=True, repr=False)

    def get_tools(self) -> list[BaseTool]:
        """The eighteen tools."""
        return [tool(client=self.client) for tool in ALL_TOOLS]  # type: ignore[call-arg]  # each has its own name

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
