"""How two plans of sweeps differ, line by line, for whoever wants to continue one with the other."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

_LINES = 40
"""Lines of a difference that are shown."""
_WIDE = 200
_FOLLOWS = ("model_hash", "edges")
"""Parts of a plan that follow from others."""


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What is different in ``new``, as lines with - and +; empty for the same plan."""
    found = []
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name), new.get(name)
        if before == after or name in _FOLLOWS:
            continue
        if name == "model_text":
            found += _texts("model", str(before), str(after))
        elif isinstance(before, Mapping) and isinstance(after, Mapping):
            for part in dict.fromkeys([*before, *after]):
                if before.get(part) != after.get(part):
                    found += _values(f"{name}.{part}", before.get(part), after.get(part))
        else:
            found += _values(name, before, after)
    if len(found) > _LINES:
        found = [*found[:_LINES], f"… and {len(found) - _LINES} more lines"]
    return "\n".join(found)


def _texts(name: str, before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "kept", "given", lineterm="", n=1
    )
    return [f"{name}:", *(f"  {_short(line)}" for line in list(lines)[2:])]


def _values(name: str, before: Any, after: Any) -> list[str]:
    return [f"{name}:", f"  -{_short(_text(before))}", f"  +{_short(_text(after))}"]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _short(line: str) -> str:
    return line if len(line) <= _WIDE else line[:_WIDE] + "…"
