"""Make ``grammar.json`` from ``grammar.lark``: ``python -m flywheel.language.make_tables``."""

from __future__ import annotations

import json
from typing import Any

from flywheel.language.tables import GRAMMAR, TABLES

STARTS = ["declaration", "expression"]


def compute(grammar: str) -> dict[str, Any]:
    """The tables as plain data, by Lark. Raises Lark's own error for a grammar that is not LALR."""
    # Only whoever changes the grammar needs Lark to start.
    from lark import Lark
    from lark.parsers.lalr_analysis import Shift

    lark = Lark(grammar, parser="lalr", lexer="basic", start=STARTS, maybe_placeholders=False)
    table = lark.parser.parser._parse_table
    # Lark numbers by hash values, which change from process to process; the file must not.
    ordered = sorted(lark.rules, key=lambda rule: (rule.origin.name, str(rule), str(rule.alias)))
    numbers = {rule: number for number, rule in enumerate(ordered)}
    places = _renumbered(table.states, list(table.start_states.values()), Shift)
    rules = []
    for rule in ordered:
        symbols = list(enumerate(rule.expansion))
        everything = rule.options.keep_all_tokens
        kept = [
            n for n, symbol in symbols if everything or not getattr(symbol, "filter_out", False)
        ]
        repeated = [n for n, symbol in symbols if not symbol.is_term and symbol.name[0] == "_"]
        origin = rule.origin.name
        name = None if origin.startswith("_") else rule.alias or origin
        through = bool(rule.options.expand1 and not rule.alias)
        rules.append([origin, name, len(rule.expansion), kept, repeated, through])
    states: list[dict[str, int]] = [{} for _ in table.states]
    for state, actions in table.states.items():
        for symbol, (action, argument) in sorted(actions.items()):
            code = places[argument] if action is Shift else -numbers[argument] - 1
            states[places[state]][symbol] = code
    return {
        "grammar": grammar,
        "keywords": {
            terminal.pattern.value: terminal.name
            for terminal in sorted(lark.terminals, key=lambda terminal: terminal.name)
            if terminal.pattern.type == "str" and terminal.pattern.value.isalpha()
        },
        "start": {name: places[state] for name, state in sorted(table.start_states.items())},
        "end": {name: places[state] for name, state in sorted(table.end_states.items())},
        "rules": rules,
        "states": states,
    }


def _renumbered(states: Any, starts: list[int], shift: Any) -> dict[int, int]:
    """New numbers for the states: in the order in which they are reached, by sorted symbols."""
    places: dict[int, int] = {}
    waiting = starts
    while waiting:
        state = waiting.pop(0)
        if state not in places:
            places[state] = len(places)
            actions = sorted(states[state].items())
            waiting += [argument for _, (action, argument) in actions if action is shift]
    for state in states:
        places.setdefault(state, len(places))
    return places


def write() -> None:
    """Make ``grammar.json`` anew."""
    data = compute(GRAMMAR.read_text(encoding="utf-8"))
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in list(data.items())[:-2]]
    for name in ("rules", "states"):
        rows = ",\n".join(json.dumps(row) for row in data[name])
        lines.append(f"{json.dumps(name)}: [\n{rows}\n]")
    TABLES.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write()
