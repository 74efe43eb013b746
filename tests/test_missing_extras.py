"""Without an extra, an error says how to install it."""

import subprocess
import sys

import pytest

from producer_tools.progress import ProgressBar

HIDE = "import sys\nfor name in ('langgraph', 'mcp', 'rich'): sys.modules[name] = None\n"
RUN = {
    "import producer_tools.langgraph": 'pip install "producer-tools[langgraph]"',
    "import producer_tools.mcp": 'pip install "producer-tools[mcp]"',
    "from producer_tools.progress import ProgressBar; ProgressBar()": 'pip install "producer-tools[progress]"',
}


@pytest.mark.parametrize(("code", "command"), RUN.items())
def test_a_missing_extra_says_what_to_install(code: str, command: str) -> None:
    """``No module named 'langgraph'`` sends a user to the wrong package and version."""
    run = subprocess.run([sys.executable, "-c", HIDE + code], capture_output=True, text=True, check=False)
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert last.endswith(command)


def test_the_package_works_without_them() -> None:
    """The core install has no extras."""
    code = HIDE + "import producer_tools; producer_tools.ProducerToolkit()"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert ProgressBar(), "with the extra it works"
