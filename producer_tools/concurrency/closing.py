"""What can be closed, and closes itself at the end of a ``with`` or ``async with`` block."""

from types import TracebackType

from typing_extensions import Self

from producer_tools.concurrency.sync import run_sync


class Closing:
    """Adds the sync way of closing, and both blocks. Subclasses implement `aclose`."""

    async def aclose(self) -> None:
        """Close what this object holds."""
        raise NotImplementedError

    def close(self) -> None:
        """`aclose` for sync code."""
        run_sync(self.aclose)

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
