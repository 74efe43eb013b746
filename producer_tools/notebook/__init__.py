"""How songs show themselves: as cards in a notebook, two takes in one player, and as a page that plays offline."""

from producer_tools.files.saved import Downloads
from producer_tools.notebook.cards import batch_cards, downloads_card, task_card
from producer_tools.notebook.comparison import Comparison, compare
from producer_tools.notebook.page import write_page
from producer_tools.tasks.display import html_of, write_html
from producer_tools.tasks.task import Task, TaskBatch

__all__ = ["Comparison", "compare", "register", "write_page"]


def register() -> None:
    """Tell `html_of` how to render a task, a batch and downloads, and `write_html` how to write a page of downloads."""
    html_of.register(Task, task_card)
    html_of.register(TaskBatch, batch_cards)
    html_of.register(Downloads, downloads_card)
    write_html.register(Downloads, write_page)
