"""A local stand-in for the Producer API, for first runs, examples, tests and recordings."""

from producer_tools.sandbox.backend import Charge, ReceivedRequest
from producer_tools.sandbox.chat_model import ScriptedChatModel
from producer_tools.sandbox.faults import Fault
from producer_tools.sandbox.files import FileKind
from producer_tools.sandbox.sandbox import ProducerSandbox

__all__ = ["Charge", "Fault", "FileKind", "ProducerSandbox", "ReceivedRequest", "ScriptedChatModel"]
