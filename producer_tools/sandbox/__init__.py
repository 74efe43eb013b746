"""A local stand-in for the Producer API, for first runs, examples, tests and recordings."""

from producer_tools.sandbox.backend import Charge, ReceivedRequest
from producer_tools.sandbox.chat_model import ScriptedChatModel
from producer_tools.sandbox.faults import Fault
from producer_tools.sandbox.file_hosts import FileHosts, ReceivedFile
from producer_tools.sandbox.files import FileKind
from producer_tools.sandbox.listing import Listing
from producer_tools.sandbox.outages import Outage
from producer_tools.sandbox.price_list import PriceList
from producer_tools.sandbox.sandbox import ProducerSandbox
from producer_tools.sandbox.users import User

__all__ = [
    "Charge",
    "Fault",
    "FileHosts",
    "FileKind",
    "Listing",
    "Outage",
    "PriceList",
    "ProducerSandbox",
    "ReceivedFile",
    "ReceivedRequest",
    "ScriptedChatModel",
    "User",
]
