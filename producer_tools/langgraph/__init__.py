"""LangGraph nodes that survive, and a graph that makes an album. Needs the extra ``langgraph``."""

from producer_tools.langgraph.album import AlbumState, Song, album_graph, extend, keep, vary
from producer_tools.langgraph.authors import review_with, write_with
from producer_tools.langgraph.nodes import ApproveNode, DownloadNode, SubmitNode, WaitNode
from producer_tools.langgraph.state import SongError, SongRequest, SongState

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
