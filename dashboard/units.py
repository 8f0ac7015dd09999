"""How numbers of a unit are said, as plain data for the page's script.

The page writes numbers itself, because they change with every move of a lever and of the scrubber. It
rounds and scales them as ``flywheel.figures.numbers.quantity`` does; a browser test holds the two
together.
"""

from __future__ import annotations

from typing import Any

from flywheel.figures.numbers import MONEY, PER, SCALES, scale_and_base, unit_word
from flywheel.model import Model
from flywheel.units import Unit


def spoken(unit: Unit | None, model: Model, language: str) -> dict[str, Any]:
    """The parts around a number: ``scale`` it, pick a word of ``words``, put ``before`` and ``after``.

    ``kind`` is ``plain`` (the number alone), ``raw`` (the number and the unit as written), ``time``
    (a number of years; a year itself where the model's time is a calendar) or ``scaled``.
    """
    scale, base = scale_and_base(unit, model)
    if base is None or not base.factors:
        return {"kind": "plain", "scale": scale}
    lang = language if language in SCALES else "en"
    factors = list(base.factors)
    per = ""
    if len(factors) > 1 and factors[-1][1] == -1 and factors[-1][0] in PER:
        per = PER[factors[-1][0]][lang][0]
        factors.pop()
    noun, power = factors[0]
    others = factors[1:]
    if power != 1 or any(one[1] != -1 for one in others) or (others and noun in PER):
        return {"kind": "raw", "scale": 1.0, "after": f" {unit}"}
    each = [unit_word(one, model, language) for one, _ in others]
    if noun in PER:
        after = f" {PER[noun]['en'][1]}" if lang == "en" else PER[noun]["ko"][1]
        calendar = base == model.time.unit and model.time.start >= 1000
        return {"kind": "time", "scale": scale, "after": after, "calendar": calendar}
    money = MONEY.get(noun.casefold())
    if lang == "ko":
        before, after = "".join(f"{one}당 " for one in each) + (f"{per} " if per else ""), ""
    else:
        before, after = "", "".join(f" per {one}" for one in each) + (f" {per}" if per else "")
    sign = money[0] if money and lang == "en" else ""
    word = unit_word(noun, model, language, many=True)
    if money:
        word = money[1] if lang == "ko" else ""
    return {
        "kind": "scaled",
        "scale": scale,
        "words": [[size, name] for size, name in SCALES[lang]],
        "before": before,
        "sign": sign,
        "noun": word,
        "glued": bool(money) and lang == "ko",
        "after": after,
        "digits": 4 if lang == "ko" else 3,
    }
