"""What a call costs by the last published prices (faq, an old page). This is an estimate, not a bill."""

from decimal import Decimal

from producer_tools.requests import LYRICS, UPLOAD, MusicRequest, Request

_OF_ACTIONS = {
    "generate": Decimal("0.08"),
    "extend": Decimal("0.05"),
    "cover": Decimal("0.10"),
    "swap_vocals": Decimal("0.05"),
    "swap_instrumentals": Decimal("0.05"),
}
_OF_ENDPOINTS = {LYRICS: Decimal("0.005"), UPLOAD: Decimal("0.01")}
_UNKNOWN = max(_OF_ACTIONS.values())


def estimate(request: Request) -> Decimal:
    """About how many US dollars a request costs. Without a published price it counts as the most expensive one."""
    if not request.paid:
        return Decimal(0)
    if isinstance(request, MusicRequest):
        return _OF_ACTIONS.get(request.action, _UNKNOWN)
    return _OF_ENDPOINTS.get(request.endpoint, _UNKNOWN)
