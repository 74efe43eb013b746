"""``python -m producer_tools.mcp`` with a clock that runs a hundred times as fast."""

from producer_tools.client import client
from producer_tools.mcp.__main__ import main
from tests.clocks import FastClock

client.SystemClock = FastClock  # type: ignore[misc,assignment]

if __name__ == "__main__":
    main()
