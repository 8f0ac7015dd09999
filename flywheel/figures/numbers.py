"""Numbers as people write them: rounded to what is known, with the scale word of the language.

A model counts in units such as ``BUSD = 1e9 USD``. A reader wants "$386 billion" or "3,860억 달러".
"""

from __future__ import annotations

import math
from fractions import Fraction

from flywheel.expr import Name, key
from flywheel.model import Model, Outcome
from flywheel.units import Unit

SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "en": ((1e12, " trillion"), (1e9, " billion"), (1e6, " million"), (1e3, " thousand")),
    "ko": ((1e16, "경"), (1e12, "조"), (1e8, "억"), (1e4, "만")),
}
MONEY: dict[str, tuple[str, str]] = {
    # code: sign before an English number, word after a Korean one
    "usd": ("$", "달러"),
    "eur": ("€", "유로"),
    "gbp": ("£", "파운드"),
    "krw": ("₩", "원"),
    "jpy": ("¥", "엔"),
    "cny": ("CN¥", "위안"),
}
PER: dict[str, dict[str, tuple[str, str]]] = {
    "year": {"en": ("a year", "years"), "ko": ("연간", "년")},
    "month": {"en": ("a month", "months"), "ko": ("월간", "개월")},
    "week": {"en": ("a week", "weeks"), "ko": ("주간", "주")},
    "day": {"en": ("a day", "days"), "ko": ("하루", "일")},
}


def rounded(value: float, digits: int = 3) -> str:
    """The number to ``digits`` significant digits, with thousands commas and no needless zeros.

    Very large and very small numbers keep an exponent; NaN is a dash.
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent >= 15 or exponent < -4:
        mantissa, power = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{mantissa}e{int(power)}".replace("-", "−")
    places = max(digits - 1 - exponent, 0)
    kept = round(value, digits - 1 - exponent)
    text = f"{kept:,.{places}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−")


def percent(fraction: float, signed: bool = True) -> str:
    """A share as a percentage of at most three significant digits, with its sign."""
    if math.isnan(fraction) or math.isinf(fraction):
        return "–"
    text = rounded(100 * fraction, 3 if abs(fraction) >= 0.1 else 2)
    return f"{'+' if signed and fraction > 0 else ''}{text} %"


def change(
    value: float,
    base: float,
    unit: Unit | None = None,
    model: Model | None = None,
    language: str = "en",
) -> str:
    """How far ``value`` is from ``base``: a percentage.

    Where a percentage says nothing (``base`` is zero, the sign turns, both are dates) it is the
    difference, in its unit when ``unit`` and ``model`` are given.
    """
    if not (math.isfinite(value) and math.isfinite(base)):
        return "–"
    difference = value - base
    sign = "+" if difference > 0 else ""
    noun = unit.factors[0][0] if unit is not None and unit.factors else ""
    dates = model is not None and all(_is_date(one, noun, model) for one in (value, base))
    if dates and len(unit.factors if unit else ()) == 1:
        words = PER.get(noun, {"en": ("", noun), "ko": ("", noun)})
        size = f"{abs(difference):.1f}".removesuffix(".0")
        if size == "0":
            return "±0"
        shown = f"{size} {words['en'][1]}" if language != "ko" else f"{size}{words['ko'][1]}"
        return f"{'+' if difference > 0 else '−'}{shown}"
    if value == base:
        return "±0 %"
    if base == 0 or (value < 0) != (base < 0):
        if model is None or unit is None:
            return f"{sign}{rounded(difference)}"
        return f"{sign}{quantity(difference, unit, model, language)}"
    return percent(difference / abs(base))


def scale_and_base(unit: Unit | None, model: Model) -> tuple[float, Unit | None]:
    """A declared unit opened once: ``BUSD/year`` with ``BUSD = 1e9 USD`` is (1e9, ``USD/year``)."""
    if unit is None:
        return 1.0, None
    declared = {key(name): declaration for name, declaration in model.units.items()}
    scale = 1.0
    factors: list[tuple[str, Fraction]] = []
    for name, power in unit.factors:
        declaration = declared.get(key(name))
        definition = declaration.definition if declaration else None
        if declaration is not None and definition is not None and len(definition.factors) == 1:
            scale *= declaration.factor ** float(power)
            factors += [(inner, exponent * power) for inner, exponent in definition.factors]
        else:
            factors.append((name, power))
    return scale, Unit(tuple(factors))


def outcome_unit(outcome: Outcome, model: Model) -> Unit | None:
    """The unit an outcome is shown in: the stated one, else what its measure tells plainly.

    Without it 2025 would be shown as a count, "2,030", and not as a date.
    """
    if outcome.unit is not None:
        return outcome.unit
    if outcome.measure == "time of":
        return model.time.unit
    if outcome.measure != "total" and isinstance(outcome.expr, Name):
        variable = model.variables.get(outcome.expr.name)
        return variable.unit if variable is not None else None
    return None


def quantity(
    value: float, unit: Unit | None, model: Model, language: str = "en", digits: int = 3
) -> str:
    """A value in its unit as a phrase: ``$386 billion a year``, ``연간 3,860억 달러``.

    Dimensionless values stay plain numbers; what they mean is the model's to say.
    """
    if math.isnan(value):
        return "–"
    scale, base = scale_and_base(unit, model)
    if base is None or not base.factors:
        return rounded(value * scale, digits)
    lang = language if language in SCALES else "en"
    names = list(base.factors)
    per = ""
    if len(names) > 1 and names[-1][1] == -1 and names[-1][0] in PER:
        per = PER[names[-1][0]][lang][0]
        names.pop()
    if not names or any(power < 0 for _, power in names) or len(names) > 1:
        return f"{rounded(value, digits)} {unit}"  # no everyday phrase for it
    noun, power = names[0]
    if power != 1:
        return f"{rounded(value, digits)} {unit}"
    if noun in PER:
        if _is_date(value, noun, model):
            return f"{value:.1f}".removesuffix(".0")
        phrase = f"{rounded(value * scale, digits)}"
        phrase += f" {PER[noun]['en'][1]}" if lang == "en" else PER[noun]["ko"][1]
        return phrase
    number = value * scale
    word = ""
    for size, name in SCALES[lang]:
        if abs(number) >= size and math.isfinite(number):
            number, word = number / size, name
            break
    places = digits + 1 if lang == "ko" and abs(number) >= 1000 else digits
    shown = rounded(number, places) + word
    money = MONEY.get(noun.casefold())
    if money and lang == "en":
        shown = f"−{money[0]}{shown[1:]}" if shown.startswith("−") else money[0] + shown
    elif money:
        shown = f"{shown} {money[1]}" if word else f"{shown}{money[1]}"
    else:
        shown = f"{shown} {unit_word(noun, model, language, shown != '1')}"
    if not per:
        return shown
    return f"{shown} {per}" if lang == "en" else f"{per} {shown}"


def _is_date(value: float, noun: str, model: Model) -> bool:
    """Whether a time is a year of the calendar and not a duration: 2010.5, not 2.5 years."""
    time = model.time
    same = time.unit is not None and time.unit.factors == ((noun, Fraction(1)),)
    return same and time.start >= 1000 and time.start <= value <= time.stop


def unit_word(name: str, model: Model, language: str = "en", many: bool = False) -> str:
    """What a base unit is called in a language: its declared label, else its name, in the plural."""
    for declared, declaration in model.units.items():
        if key(declared) == key(name):
            own = any(code == language for code, *_ in declaration.translations)
            if declaration.label or own:
                return declaration.text(language)[0]
    if language != "en" or not many or not name.isalpha() or not name.isascii():
        return name
    if name == "person":
        return "people"
    if name.isupper() or name.endswith("s"):
        return name
    return f"{name[:-1]}ies" if name.endswith("y") and name[-2:-1] not in "aeiou" else f"{name}s"
