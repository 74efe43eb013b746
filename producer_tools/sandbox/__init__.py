"""A local stand-in for the Producer API, for first runs, examples, tests and recordings."""

from producer_tools.sandbox.chat_model import ScriptedChatModel
from producer_tools.sandbox.faults import Fault
from producer_tools.sandbox.sandbox import ProducerSandbox
from producer_tools.sandbox.studio import Charge

__all__ = ["Charge", "Fault", "ProducerSandbox", "ScriptedChatModel"]
