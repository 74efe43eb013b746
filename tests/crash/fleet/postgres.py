"""A temporary PostgreSQL: the system's binaries, a cluster in a temporary directory, and a Unix socket in it.

It has no port: another program could take a port that is free before the server takes it.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote


class NoPostgreSQLError(Exception):
    """The machine has no PostgreSQL server."""


@contextmanager
def temporary_cluster(*, durable: bool = False) -> Iterator[str]:
    """Run a cluster for the block, and yield its connection string.

    Args:
        durable: whether each commit waits for the disk. Without that it is faster, and the database does not outlive
            the block anyway.

    Raises:
        NoPostgreSQLError: There are no server binaries on this machine.
        subprocess.CalledProcessError: It did not start.
    """
    binaries, password = _binaries(), secrets.token_hex()
    with tempfile.TemporaryDirectory(prefix="fleet-postgres-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        (home / "password").write_text(password, encoding="utf-8")
        user = _not_root(home)

        def run(program: str, *arguments: str) -> None:
            command = [str(binaries / program), *arguments]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=home, **user)

        data, log = str(home / "data"), str(home / "log")
        login = ("-U", "fleet", "-A", "scram-sha-256", f"--pwfile={home / 'password'}")
        run("initdb", "--no-sync", "-D", data, *login, "-E", "UTF8")
        options = f"-h '' -k {home} -c max_connections=200 -c fsync={'on' if durable else 'off'}"
        run("pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "-t", "250", "start")
        try:
            yield f"postgresql://fleet:{password}@{quote(folder, safe='')}/postgres"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def _binaries() -> Path:
    """The folder of ``initdb``: on the path, or the newest version where Debian's package puts it."""
    found = shutil.which("initdb") or max(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None)
    if found is None:
        raise NoPostgreSQLError("There is no PostgreSQL server on this machine (Debian: apt install postgresql).")
    return Path(found).resolve().parent


def _not_root(home: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root. If we are root, it runs as user nobody, who gets the directory."""
    if os.name != "posix" or os.geteuid() != 0:
        return {}
    for path in (home, home / "password"):
        shutil.chown(path, "nobody", "nogroup")
    return {"user": "nobody", "group": "nogroup", "extra_groups": []}
