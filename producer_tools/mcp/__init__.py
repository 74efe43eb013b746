"""Serves tools to MCP hosts. Needs the extra ``mcp``."""

from producer_tools.errors.missing_extra import needing_extra

with needing_extra("mcp", "producer_tools.mcp"):
    import mcp  # noqa: F401 - only to see whether it is there

from producer_tools.mcp.server import to_mcp

__all__ = ["to_mcp"]
