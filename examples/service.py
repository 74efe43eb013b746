"""The service of the demo and the notebooks: the real one if the environment has a token, else a sandbox."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from producer_tools import ProducerClient
from producer_tools.sandbox import ProducerSandbox


@asynccontextmanager
async def open_client(**settings: Any) -> AsyncIterator[ProducerClient]:
    """Open a client on the real service if the environment has a token, else on a sandbox, with these settings."""
    if os.environ.get("ACEDATACLOUD_API_TOKEN"):
        print("Service: the real one. THIS COSTS MONEY: an estimated 0.08 US dollars a song.")
        async with ProducerClient(**settings) as client:
            yield client
    else:
        print("Service: the sandbox on this machine (no ACEDATACLOUD_API_TOKEN). The music is the sandbox's own.")
        async with (
            ProducerSandbox(render_seconds=4) as sandbox,
            ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0.5, **settings) as client,
        ):
            yield client
