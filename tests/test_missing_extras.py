"""The extras: an error says how to install one that is missing, and nobody waits for one that is not used."""

import subprocess
import sys

from producer_tools.progress import ProgressBar

OPTIONAL = ("av", "langgraph", "mcp", "mutagen", "numpy", "opentelemetry", "pyloudnorm", "rich", "scipy")

WITHOUT_EXTRAS = f"""
import sys
for name in {OPTIONAL}:
    sys.modules[name] = None
import producer_tools, producer_tools.sandbox
producer_tools.ProducerToolkit()
for code in (
    "import producer_tools.langgraph",
    "import producer_tools.mcp",
    "producer_tools.progress.ProgressBar()",
    "producer_tools.sandbox.ProducerSandbox(audio_format='m4a')",
):
    try:
        exec(code)
    except ImportError as error:
        print(error)
"""
WHAT_IS_IMPORTED = f"""
import langchain_core.tools, langsmith.client, sys
before = set(sys.modules)
import producer_tools, producer_tools.sandbox, producer_tools.files.audio.measuring, producer_tools.files.audio.encoding
print(*({set(OPTIONAL)} & (sys.modules.keys() - before)))
"""


def printed_by(code: str) -> list[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_missing_extra_says_what_to_install() -> None:
    """``No module named 'langgraph'`` sends a user to the wrong package and version. The core needs no extra."""
    extras = ("langgraph", "mcp", "progress", "sound")
    commands = [f'pip install "producer-tools[{extra}]"' for extra in extras]
    messages = printed_by(WITHOUT_EXTRAS)
    assert [message[-len(command) :] for message, command in zip(messages, commands, strict=True)] == commands
    assert ProgressBar(), "with the extra it works"


def test_the_import_brings_no_optional_library() -> None:
    """They take a second to import, and 100 MB of memory. Whoever does not use them must not pay for that."""
    assert printed_by(WHAT_IS_IMPORTED) == [""]
