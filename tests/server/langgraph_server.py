"""The example in `examples/server/`, served by ``langgraph dev``."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from langgraph_sdk import get_client

from tests.free_ports import free_port

ROOT = Path(__file__).parents[2]
# However busy the machine is. The timeout of a test is longer still.
_START_SECONDS = 180
_PATIENCE_SECONDS = 120


class LangGraphServer:
    """A server process that can be killed and started again. It keeps its files in a copy of the example.

    Args:
        directory: where the copy is made.
        base_url: the sandbox.
        tokens: the Producer token of each user.
    """

    def __init__(self, directory: Path, base_url: str, tokens: Mapping[str, str]) -> None:
        shutil.copytree(ROOT / "examples" / "server", directory)
        graphs = directory / "graphs.py"
        slow = graphs.read_text(encoding="utf-8")
        quick = slow.replace("ProducerClient(token_of_user,", "ProducerClient(token_of_user, poll_interval=0.1,")
        assert quick != slow, "the example makes its client in another way now"
        graphs.write_text(quick, encoding="utf-8")
        self.directory = directory
        self.log = directory / "log.txt"
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        # Nothing else of the environment: no key, no licence, and nothing that reports to anybody.
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "PYTHONPATH": str(ROOT),
            "ACEDATACLOUD_API_BASE_URL": base_url,
            "PRODUCER_TOKENS": json.dumps(tokens),
            "LANGSMITH_TRACING": "false",
            "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, and wait until it answers."""
        program = [sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*program, "--port", str(self._port), "--n-jobs-per-worker", "20"],
                cwd=self.directory, env=self._environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + _START_SECONDS
        while not self._answers():
            log_so_far = self.log.read_text(encoding="utf-8", errors="replace")
            assert self._process.poll() is None, f"the server has ended: {log_so_far[-3000:]}"
            assert time.monotonic() < until, f"the server does not start: {log_so_far[-3000:]}"
            time.sleep(0.1)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the process by a signal; ``SIGKILL`` lets it save nothing."""
        if self._process is not None:
            os.killpg(self._process.pid, number)
            self._process.wait()
            self._process = None

    def client(self, user: str) -> Any:
        """A LangGraph client of the server, with which this user has logged in."""
        return get_client(url=self.url, headers={"Authorization": f"Bearer session-of-{user}"})

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/ok", timeout=1):  # noqa: S310 - loopback
                return True
        except (URLError, OSError):
            return False


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something has happened in the server or in the sandbox."""
    ends = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < ends, "it has not happened in time"
        await asyncio.sleep(0.05)
