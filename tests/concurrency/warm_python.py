"""Runs each script in a process of its own, without the seconds that each would need to import the package."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

# The forked child leaves the loop and runs the script at the end of the program, so that it exits like any process,
# with every warning that an exit can cause.
_PROGRAM = """
import json, os, sys
from producer_tools import *
code = ""
for line in sys.stdin:
    job = json.loads(line)
    if os.fork() == 0:
        os.environ.update(job["environment"])
        os.dup2(os.open(job["stderr"], os.O_WRONLY | os.O_CREAT), 2)
        code = job["code"]
        break
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
exec(code)
"""


class Ended(NamedTuple):
    """How a script ended."""

    returncode: int
    stderr: str


class WarmPython:
    """An interpreter that has imported the package and forks for each script. Every warning is an error."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, code: str, environment: dict[str, str], directory: Path) -> Ended:
        """Run a script to the end of its process.

        Args:
            code: the script.
            environment: variables that are set in addition to the present environment.
            directory: where its standard error is written.
        """
        stderr = directory / "stderr"
        assert self._process.stdin
        assert self._process.stdout
        job = {"code": code, "environment": environment, "stderr": str(stderr)}
        print(json.dumps(job), file=self._process.stdin, flush=True)
        return Ended(int(self._process.stdout.readline()), stderr.read_text(encoding="utf-8"))


@contextmanager
def warm_python() -> Iterator[WarmPython]:
    """Run the interpreter during the block."""
    command = [sys.executable, "-W", "error", "-c", _PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield WarmPython(process)
