"""The LangGraph nodes and the album graph."""
