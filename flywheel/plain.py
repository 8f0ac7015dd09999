"""Values as plain data that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def plain(value: object) -> object:
    """The value with finite numbers, text, lists and objects only; NaN and infinities become null.

    Anything else is given by its text.
    """
    match value:
        case bool() | None | str() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case Sequence():
            return [plain(item) for item in value]
        case _:
            return str(value)
