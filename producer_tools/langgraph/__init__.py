"""LangGraph nodes that can be run again after a crash, and the album graph. Needs the extra ``langgraph``."""

from producer_tools.errors.missing_extra import needing_extra

with needing_extra("langgraph", "producer_tools.langgraph"):
    import langgraph.graph  # noqa: F401 - only to see whether it is there

from producer_tools.langgraph.album import album_graph
from producer_tools.langgraph.authors import review_with, write_with
from producer_tools.langgraph.nodes import ApproveNode, DownloadNode, SubmitNode, WaitNode
from producer_tools.langgraph.songs import extend, keep, vary
from producer_tools.langgraph.state import AlbumState, Song, SongError, SongRequest, SongState

__all__ = [
    "AlbumState",
    "ApproveNode",
    "DownloadNode",
    "Song",
    "SongError",
    "SongRequest",
    "SongState",
    "SubmitNode",
    "WaitNode",
    "album_graph",
    "extend",
    "keep",
    "review_with",
    "vary",
    "write_with",
]
