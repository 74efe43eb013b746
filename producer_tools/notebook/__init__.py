"""How tasks, batches and downloads show themselves in a notebook."""

from producer_tools.files.saved import Downloads
from producer_tools.notebook.cards import batch_cards, downloads_card, task_card
from producer_tools.tasks.display import html_of
from producer_tools.tasks.task import Task, TaskBatch


def register() -> None:
    """Tell `html_of` how to render a task, a batch and downloads."""
    html_of.register(Task, task_card)
    html_of.register(TaskBatch, batch_cards)
    html_of.register(Downloads, downloads_card)
