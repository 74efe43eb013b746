"""The LangGraph nodes and the album graph, run sync and async."""
