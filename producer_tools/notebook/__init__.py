"""How tasks, batches and downloads show themselves in a notebook."""

from producer_tools.files.downloads import Downloads
from producer_tools.notebook.cards import batch_cards, downloads_card, task_card
from producer_tools.tasks.display import to_html
from producer_tools.tasks.task import Task, TaskBatch


def register() -> None:
    """Tell `to_html` how to render a task, a batch and downloads."""
    to_html.register(Task, task_card)
    to_html.register(TaskBatch, batch_cards)
    to_html.register(Downloads, downloads_card)
