"""A small shop whose tables are cheap: what the figures of analyses are tried on."""

from __future__ import annotations

from functools import cache

import flywheel as fw
from flywheel.model import Model
from flywheel.solve.study import Study

TEXT = """
model shop "Shop"
    ko "가게"
time 2000 to 2010 [year] step 1/4
unit guest
stock guests "Guests" [guest] = 10 gains coming loses going
    ko "손님"
stock fame "Fame <b>" [1] = 1 gains talk loses fading
flow coming "Guests who come" [guest/year] = guests * rate * fame * room
    ko "오는 손님"
flow going [guest/year] = guests * leave * price / 2
flow talk [1/year] = rate * guests / (guests + 20)
flow fading [1/year] = fame * 0.2
aux room [1] = max(1 - guests / 200, 0)
aux income "Income" [USD/year] = guests * (price * 3 - 1)
    ko "수입"
param rate "How fast word spreads" [1/year] = 0.4 in 0.2 .. 0.6 from guess "nobody asked"
    ko "소문의 속도"
param leave "Part that leaves" [1/year] = 0.1 in 0.05 .. 0.2 from survey "door"
    ko "떠나는 비율"
param price "Price" [1] = 2 in 1 .. 3 from measured "list"
    ko "가격"
outcome value "Income in all" [USD] = total income
    ko "수입 합계"
lever dearer "Charge much more than before" = price by 20% at 2002 level 12 cost 1
    ko "가격 인상"
lever louder "Tell everybody" = rate by 20% at 2002 level 7 cost 2
    ko "홍보 강화"
lever kinder "Be kind" = leave by -20% at 2002 level 8 cost 3
    ko "친절"
loop R1 "Guests talk, talk brings guests" = guests -> talk -> fame -> coming -> guests
    ko "손님이 손님을 부른다"
loop B1 "Guests leave" = guests -> going -> guests
    ko "손님이 떠난다"
"""


@cache
def shop() -> Model:
    """The model."""
    return fw.parse(TEXT)


@cache
def study() -> Study:
    """Its income, seen after 3 and 10 years."""
    return Study(shop(), "value", (3.0, 10.0))


def words(figure: object) -> str:
    """All that a figure says: title, subtitle, annotations, ticks, bars."""
    layout = figure.layout  # type: ignore[attr-defined]
    parts = [layout.title.text or "", layout.title.subtitle.text or ""]
    parts += [one.text or "" for one in layout.annotations]
    for axis in (layout.xaxis, layout.yaxis):
        parts += [str(tick) for tick in axis.ticktext or ()]
        parts.append(axis.title.text or "")
    return " ".join(parts).replace("<br>", " ").replace("\u00a0", " ")


def traces(figure: object, role: str) -> list[object]:
    """The traces of one role."""
    return [t for t in figure.data if (t.meta or {}).get("role") == role]  # type: ignore[attr-defined]


def noted(figure: object, name: str) -> list[str]:
    """The texts of the annotations of one name, in order."""
    return [a.text for a in figure.layout.annotations if a.name == name]  # type: ignore[attr-defined]
