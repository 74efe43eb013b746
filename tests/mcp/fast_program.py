"""``python -m producer_tools.mcp`` with a clock that runs ten times as fast."""

from functools import partial
from unittest.mock import patch

from producer_tools.mcp.__main__ import main
from tests.clocks import FastClock

SPEED = 10.0
"""A wait of five minutes lasts half a minute, which is enough for a song also on a busy machine."""

if __name__ == "__main__":
    with patch("producer_tools.client.client.SystemClock", partial(FastClock, SPEED)):
        main()
