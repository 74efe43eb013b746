"""The example in `examples/server/` on a real LangGraph server."""
