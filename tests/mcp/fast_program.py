"""``python -m producer_tools.mcp`` with a clock that runs a hundred times as fast."""

from unittest.mock import patch

from producer_tools.mcp.__main__ import main
from tests.clocks import FastClock

if __name__ == "__main__":
    with patch("producer_tools.client.client.SystemClock", FastClock):
        main()
