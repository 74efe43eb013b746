"""Serves tools to MCP hosts. Needs the extra ``mcp``."""

from producer_tools.mcp.server import to_mcp

__all__ = ["to_mcp"]
