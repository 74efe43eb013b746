"""What a call costs, by the last prices that were published (faq, an old page): an estimate, never a bill."""

from decimal import Decimal

from producer_tools.requests import AUDIOS, LYRICS, UPLOAD, MusicRequest, Request

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
    """What a request costs in US dollars, about; what no price is known of counts as the dearest."""
    if not request.endpoint.paid:
        return Decimal(0)
    if request.endpoint == AUDIOS and isinstance(request, MusicRequest):
        return _OF_ACTIONS.get(request.action, _UNKNOWN)
    return _OF_ENDPOINTS.get(request.endpoint, _UNKNOWN)
