"""LangChain tools that let an agent make music with Ace Data Cloud's Producer API."""

# Imported first, and from here: CPython imports LangChain up to a sixth slower from a module that is nested deeper.
import langchain_core.tools.base  # noqa: F401 - only for the reason above

from producer_tools import errors, notebook, tools
from producer_tools.client import ProducerClient
from producer_tools.errors import *  # noqa: F403 - exactly the classes in its __all__
from producer_tools.files.audio.measured import Measured
from producer_tools.files.downloads import Downloader
from producer_tools.files.saved import Downloads, FailedFile, SavedFile
from producer_tools.http.callbacks import CallbackReceiver
from producer_tools.http.tokens import api_token
from producer_tools.payment.budget import Budget, budget
from producer_tools.payment.ledger import Ledger, MemoryLedger
from producer_tools.payment.price_list import ListedPrice, ListedPrices
from producer_tools.payment.prices import Price, PriceTable, estimate
from producer_tools.payment.sqlite_ledger import SqliteLedger
from producer_tools.payment.statement import PaidCall, Statement
from producer_tools.payment.store_ledger import StoreLedger
from producer_tools.progress import Progress
from producer_tools.tasks.results import Result
from producer_tools.tasks.task import State, Task, TaskBatch, TaskError
from producer_tools.tools import *  # noqa: F403 - exactly the classes in its __all__
from producer_tools.tools.listening import Listener
from producer_tools.tools.toolkit import ProducerToolkit

__version__ = "0.1.0"

notebook.register()

__all__ = [
    "Budget",
    "CallbackReceiver",
    "Downloader",
    "Downloads",
    "FailedFile",
    "Ledger",
    "ListedPrice",
    "ListedPrices",
    "Listener",
    "Measured",
    "MemoryLedger",
    "PaidCall",
    "Price",
    "PriceTable",
    "ProducerClient",
    "ProducerToolkit",
    "Progress",
    "Result",
    "SavedFile",
    "SqliteLedger",
    "State",
    "Statement",
    "StoreLedger",
    "Task",
    "TaskBatch",
    "TaskError",
    "__version__",
    "api_token",
    "budget",
    "estimate",
]
__all__ += errors.__all__
__all__ += tools.__all__
