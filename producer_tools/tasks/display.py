"""How a value is displayed in a notebook."""

from functools import singledispatch


@singledispatch
def to_html(value: object) -> str:
    """The HTML of a task, a batch or downloads. `producer_tools.notebook` registers an implementation for each.

    Raises:
        TypeError: none is registered for this type.
    """
    raise TypeError(f"No HTML is defined for {type(value).__name__}.")
