"""The five questions as figures: the answers of all entry points, and what moves one of them."""

from __future__ import annotations

from html import escape

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from flywheel.analysis.assess import Assessment, Sensitivity
from flywheel.analysis.questions import JUDGEMENTS, QUESTIONS
from flywheel.analysis.words import amount
from flywheel.figures.theme import GRID, RUN_WIDTH, TEXT_BODY, TEXT_SMALL, palette, template

_WORDS = {
    "en": {
        "score": "score",
        "draws": "Frame: the weakest link. "
        "Bar: nine of ten draws of all judgements from their ranges.",
        "now": "as judged",
        "low": "score at the low end",
        "high": "score at the high end",
    },
    "ko": {
        "score": "점수",
        "draws": "테두리: 가장 약한 고리. 막대: 모든 판단을 범위 안에서 뽑은 경우의 90 %.",
        "now": "판단값",
        "low": "범위 하단의 점수",
        "high": "범위 상단의 점수",
    },
}
_KINDS = {
    "guess": ("guess", "추측"), "estimate": ("estimate", "추정"),
    "survey": ("survey", "조사"), "measured": ("measured", "측정"),
}  # fmt: skip
_ROW = 5 * GRID
_SHOWN = 12
"""Bars of a tornado; judgements that move less are left out."""


def _words(language: str) -> dict[str, str]:
    return _WORDS.get(language, _WORDS["en"])


def answers(assessment: Assessment, *, language: str = "en", dark: bool = False) -> go.Figure:
    """A row for each entry point, best first: five answers as shades, the score as a dot.

    A dark cell is a strong answer. The weakest of the first four, the link that holds the score down,
    is framed. The bar through the dot spans nine of ten draws of all judgements from their ranges.
    """
    colors = palette(dark)
    said = _words(language)
    strong = 0.7 if dark else 0.85  # from here the other text colour reads better on the shade
    ranking = assessment.ranking
    rows = list(range(len(ranking)))
    heads = [question.short[language == "ko"] for question in QUESTIONS.values()]
    figure = make_subplots(
        rows=1, cols=2, column_widths=[0.68, 0.32], horizontal_spacing=0.03, shared_yaxes=True
    )
    figure.add_trace(
        go.Heatmap(
            z=[list(row.scores[:5]) for row in ranking], x=list(range(5)), y=rows,
            zmin=0, zmax=1, xgap=2, ygap=2, showscale=False,
            colorscale=[[0, colors.panel], [1, colors.run]],
            customdata=[[question.text[language == "ko"] for question in QUESTIONS.values()]
                        for _ in ranking],
            hovertemplate="%{customdata}<br>%{z:.3f}<extra></extra>",
            meta={"role": "answers"},
        ), row=1, col=1,
    )  # fmt: skip
    for y, row in enumerate(ranking):
        gates = list(row.scores[:4])
        for x, value in enumerate(row.scores[:5]):
            figure.add_annotation(
                text=f"{value:.2f}", x=x, y=y, row=1, col=1, showarrow=False,
                font={"size": TEXT_BODY, "color": colors.paper if value > strong else colors.ink},
            )  # fmt: skip
        weak = gates.index(min(gates))
        figure.add_shape(
            type="rect", x0=weak - 0.47, x1=weak + 0.47, y0=y - 0.45, y1=y + 0.45, row=1, col=1,
            line={"color": colors.bad, "width": RUN_WIDTH}, fillcolor="rgba(0,0,0,0)",
        )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=[row.total for row in ranking], y=rows, mode="markers+text",
            text=[f"{row.total:.2f}" for row in ranking], textposition="top center",
            marker={"color": colors.run, "size": 10},
            error_x={"type": "data", "symmetric": False, "color": colors.baseline, "width": 0,
                     "thickness": 6, "array": [max(row.high - row.total, 0) for row in ranking],
                     "arrayminus": [max(row.total - row.low, 0) for row in ranking]},
            hovertemplate="%{x:.3f}<extra></extra>", meta={"role": "total"},
        ), row=1, col=2,
    )  # fmt: skip
    labels = [escape(assessment.chain.point(row.point).text(language)) for row in ranking]
    figure.update_yaxes(
        tickvals=rows, ticktext=labels, range=[len(rows) - 0.5, -0.5], showgrid=False,
        zeroline=False, tickfont={"size": TEXT_BODY, "color": colors.ink},
    )  # fmt: skip
    figure.update_xaxes(
        tickvals=list(range(5)), ticktext=heads, side="top", showline=False, ticks="",
        range=[-0.5, 4.5], row=1, col=1,
    )  # fmt: skip
    highest = max(row.high for row in ranking)
    figure.update_xaxes(
        title=said["score"], range=[0, max(1.0, 1.05 * highest)], side="top", row=1, col=2
    )
    _foot(figure, said["draws"], colors.muted)
    figure.update_layout(
        template=template(dark), hovermode="closest", showlegend=False,
        height=len(rows) * _ROW + 18 * GRID,
        margin={"l": 12 * GRID, "r": 3 * GRID, "t": 10 * GRID, "b": 5 * GRID},
    )  # fmt: skip
    return figure


def tornado(
    assessment: Assessment, entry_point: str, *, language: str = "en", dark: bool = False
) -> go.Figure:
    """How far each judgement moves the score over its plausible range, the strongest on top.

    The colour is the evidence of the judgement. Raises UnknownNameError for an unknown entry point.
    """
    colors = palette(dark)
    said = _words(language)
    point = assessment.chain.point(entry_point)
    total = assessment.scores[point.name].total
    bars = [row for row in assessment.tornado(entry_point) if row.swing > 0][:_SHOWN]
    kinds = [point.judgements[row.judgement].evidence.kind for row in bars]
    figure = go.Figure(
        go.Bar(
            orientation="h", x=[row.swing for row in bars],
            base=[min(row.at_low, row.at_high) for row in bars], y=list(range(len(bars))),
            marker={"color": [colors.evidence(kind) for kind in kinds]}, width=0.62,
            customdata=[[escape(_shown(row, language)), escape(_source(assessment, row)),
                         row.at_low, row.at_high] for row in bars],
            hovertemplate=f"%{{customdata[0]}}<br>{said['low']}: %{{customdata[2]:.3f}}"
                          f"<br>{said['high']}: %{{customdata[3]:.3f}}"
                          "<br><i>%{customdata[1]}</i><extra></extra>",
            meta={"role": "swing"},
        )
    )  # fmt: skip
    key = [
        f"<span style='color:{colors.evidence(kind)}'>■</span> {_KINDS[kind][language == 'ko']}"
        for kind in dict.fromkeys(kinds)
    ]
    figure.add_annotation(
        text="  ".join(key), xref="paper", yref="paper", x=1, y=1, xanchor="right",
        yanchor="bottom", yshift=3 * GRID, showarrow=False,
        font={"size": TEXT_SMALL, "color": colors.muted},
    )  # fmt: skip
    figure.add_vline(x=total, line={"color": colors.ink, "width": 1})
    figure.add_annotation(
        text=f"{said['now']}: {total:.2f}", x=total, y=1, yref="paper", yanchor="bottom",
        yshift=GRID // 2, showarrow=False, font={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(bars))), ticktext=[escape(_shown(row, language)) for row in bars],
        range=[len(bars) - 0.4, -0.6], showgrid=False, zeroline=False,
        tickfont={"size": TEXT_SMALL, "color": colors.ink},
    )  # fmt: skip
    figure.update_xaxes(title=said["score"], showgrid=True, gridcolor=colors.hairline)
    figure.update_layout(
        template=template(dark), hovermode="closest", title=escape(point.text(language)),
        height=len(bars) * 4 * GRID + 18 * GRID,
        margin={"l": 26 * GRID, "r": 3 * GRID, "t": 9 * GRID, "b": 7 * GRID},
    )  # fmt: skip
    return figure


def _shown(row: Sensitivity, language: str) -> str:
    """A judgement with its range: ``lock-in 0.25 – 0.6``."""
    label = JUDGEMENTS[row.judgement].text(language)
    return f"{label} {amount(row.low)} – {amount(row.high)}"


def _source(assessment: Assessment, row: Sensitivity) -> str:
    source = assessment.chain.point(row.point).judgements[row.judgement].evidence.source
    return source if len(source) <= 100 else source[:99] + "…"


def _foot(figure: go.Figure, text: str, color: str) -> None:
    figure.add_annotation(
        text=escape(text), xref="paper", yref="paper", x=0, y=0, yshift=-2 * GRID, xanchor="left",
        yanchor="top", showarrow=False, font={"size": TEXT_SMALL, "color": color},
    )  # fmt: skip
