"""The environment of the peers, ``.venv/peers``, and the programs that run in it.

The programs run as files. They import nothing of ``producer_tools``: what it needs is not installed there.
"""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv" / "peers" / "bin" / "python"
CALLS = Path(__file__).parent / "peer_calls.py"
MCP_PRODUCER = Path(__file__).parent / "local_mcp_producer.py"
PACKAGES = ("mcp-producer", "langchain-mcp-adapters", "langchain-suno-acedatacloud", "acedatacloud", "langchain-core")


def versions() -> dict[str, str]:
    """The installed version of each of `PACKAGES`."""
    code = "import sys, importlib.metadata; print(*map(importlib.metadata.version, sys.argv[1:]))"
    printed = subprocess.run([PYTHON, "-c", code, *PACKAGES], capture_output=True, check=True, text=True).stdout
    return dict(zip(PACKAGES, printed.split(), strict=True))


def variables(base_url: str, api_token: str) -> dict[str, str]:
    """The environment of a program whose requests go to ``base_url``."""
    service = {"ACEDATACLOUD_API_BASE_URL": base_url, "ACEDATACLOUD_API_TOKEN": api_token}
    return {**os.environ, **service, "PYTHONPATH": str(ROOT)}


async def calls(base_url: str, api_token: str, *arguments: str) -> Any:
    """What ``peer_calls.py`` prints for these arguments."""
    program = await asyncio.create_subprocess_exec(
        PYTHON,
        CALLS,
        *arguments,
        env=variables(base_url, api_token),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await program.communicate()
    assert program.returncode == 0, errors.decode()
    return json.loads(printed)
