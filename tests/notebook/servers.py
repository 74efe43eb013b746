"""Runs the same cells in JupyterLab and in marimo, and opens them in headless Chromium."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.free_ports import free_port

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # the test is offline
]  # fmt: skip
# However busy the machine is. The timeout of a test is longer still.
START_SECONDS = 120
LAB_SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "notebook-extension/tracker": {"windowingMode": "none"},  # else cells that are out of sight are not in the page
}


def need(*modules: str) -> None:
    """Skip the test unless Chromium and these modules are installed."""
    for module in ("playwright", *modules):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed; `make browser` installs it")
    if chromium() is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")


def chromium() -> str | None:
    """The path of Chromium, by any of the names that systems give it."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def chromium_page() -> Iterator[Any]:
    """A page of a new headless Chromium."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - may not be installed

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS, timeout=START_SECONDS * 1000)
        with closing(browser):
            page = browser.new_page(viewport={"width": 1200, "height": 3000})
            page.set_default_timeout(START_SECONDS * 1000)
            yield page


def notebook(folder: Path, cells: Sequence[str]) -> Path:
    """A notebook file with these cells."""
    made = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],  # type: ignore[no-untyped-call]
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    path = folder / "cards.ipynb"
    nbformat.write(made, path)  # type: ignore[no-untyped-call]
    return path


@contextmanager
def jupyterlab(path: Path) -> Iterator[str]:
    """The address of a JupyterLab that shows the notebook."""
    for name, values in LAB_SETTINGS.items():
        setting = path.parent / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        setting.parent.mkdir(parents=True, exist_ok=True)
        setting.write_text(json.dumps(values))
    folders = {f"JUPYTER_{name}_DIR": str(path.parent / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    folders |= {"JUPYTERLAB_SETTINGS_DIR": str(path.parent / "settings"), "IPYTHONDIR": str(path.parent / "ipython")}
    port = free_port()
    command = [
        "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={path.parent}", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with running(command, path.parent, folders, port) as log:
        yield f"http://127.0.0.1:{port}/lab/tree/{path.name}"
        assert "Traceback" not in log.read_text()


@contextmanager
def marimo(path: Path, theme: str) -> Iterator[str]:
    """The address of a marimo app that is converted from the notebook and runs its cells when it is opened."""
    app = path.with_suffix(".py")
    home = {name: str(path.parent) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")}
    convert = [sys.executable, "-m", "marimo", "convert", path.name, "-o", app.name]
    subprocess.run(convert, cwd=path.parent, env={**os.environ, **home}, check=True, capture_output=True)
    (path.parent / "pyproject.toml").write_text(f'[tool.marimo.display]\ntheme = "{theme}"\n')
    port = free_port()
    command = ["marimo", "-y", "run", "--headless", "--no-token", "--host=127.0.0.1", f"--port={port}", app.name]
    with running(command, path.parent, home, port) as log:
        yield f"http://127.0.0.1:{port}/"
        assert "Traceback" not in log.read_text()


@contextmanager
def running(command: Sequence[str], folder: Path, variables: dict[str, str], port: int) -> Iterator[Path]:
    """The log of a Python module that serves this port."""
    log = folder / "server.log"
    with log.open("w") as output:
        environment = {**os.environ, **variables}
        server = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        with server:
            try:
                wait_for(port, server, log)
                yield log
            finally:
                server.terminate()


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"The server did not start:\n{log.read_text()}")
