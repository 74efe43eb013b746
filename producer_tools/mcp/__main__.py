"""``python -m producer_tools.mcp``: all tools for an MCP host, over stdio or HTTP."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from producer_tools import Budget, ProducerClient, ProducerToolkit
from producer_tools.errors import ConfigurationError, InvalidArgumentError
from producer_tools.files.downloads import DEFAULT_DIRECTORY
from producer_tools.http.tokens import TOKEN_VARIABLE
from producer_tools.mcp.server import to_mcp


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the host closes stdin, or until a signal."""
    options = _parser().parse_args(arguments)
    if options.http:  # so that paid calls under way are written down; over stdio, a host closes stdin before it kills
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asyncio.run(_serve(options))
    except (ConfigurationError, InvalidArgumentError) as error:
        raise SystemExit(f"producer_tools.mcp: {error.message}") from None
    except KeyboardInterrupt:
        pass


async def _serve(options: argparse.Namespace) -> None:
    budget = None if options.budget is None else Budget(max_usd=options.budget, per="day" if options.ledger else None)
    user_tokens = options.http and not os.environ.get(TOKEN_VARIABLE)
    async with ProducerClient(ledger=options.ledger, budget=budget) as client:
        toolkit = ProducerToolkit(client=client, download_dir=options.download_dir, upload_dir=options.upload_dir)
        tools = toolkit.get_tools()
        server = to_mcp(tools, approve=options.approve, user_tokens=user_tokens, host=options.host, port=options.port)
        if options.http:
            sys.stderr.write(f"Serving MCP at http://{options.host}:{options.port}/mcp\n")
        await (server.run_streamable_http_async() if options.http else server.run_stdio_async())


def _parser() -> argparse.ArgumentParser:
    about = f"Serve all tools to an MCP host, over stdio. The API token is read from {TOKEN_VARIABLE}."
    parser = argparse.ArgumentParser(prog="python -m producer_tools.mcp", description=about)
    add = parser.add_argument
    add("--http", action="store_true", help="serve streamable HTTP at /mcp, in place of stdio")
    add("--host", default="127.0.0.1", help="with --http: the address to listen on (default: %(default)s)")
    add("--port", type=int, default=8000, help="with --http: the port (default: %(default)s)")
    add("--ledger", metavar="FILE", help="keep what was paid for in this SQLite file (default: in memory)")
    add("--budget", metavar="USD", help="the most to spend, estimated: each day with --ledger, else in this process")
    add("--approve", action="store_true", help="a person must agree to each paid call, or it is refused")
    add("--download-dir", default=DEFAULT_DIRECTORY, help="where files are saved (default: %(default)s)")
    add("--upload-dir", metavar="DIR", help="let the model upload recordings of this folder (default: none)")
    return parser


if __name__ == "__main__":
    main()
