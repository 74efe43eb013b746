"""Tests of the LangGraph nodes, and of the graph that makes an album."""
