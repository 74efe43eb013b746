"""The client: what can be asked of the API, within its limits."""

from producer_tools.client.client import ProducerClient

__all__ = ["ProducerClient"]
