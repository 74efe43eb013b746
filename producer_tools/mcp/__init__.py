"""Serves tools to MCP hosts. Needs the extra ``mcp``."""

try:
    from producer_tools.mcp.server import to_mcp
except ModuleNotFoundError as missing:
    raise ImportError("An MCP server needs the extra mcp: pip install 'producer-tools[mcp]'.") from missing

__all__ = ["to_mcp"]
