"""A bar chart as SVG that can be read on light and on dark pages."""

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH = 860
_LEFT = 300
"""Where bars begin; their labels end before."""
_RIGHT = 110
"""Room for the figures behind the bars."""
_TOP = 56
_ROW = 38
_BAR = 22
_BOTTOM = 24
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

_STYLE = """\
    .page { fill: #ffffff; stroke: #d0d7de }
    .title { font-size: 17px; font-weight: 600; fill: #1f2328 }
    .label { font-size: 14px; fill: #1f2328; text-anchor: end }
    .value { font-size: 14px; fill: #59636e }
    .ours { fill: #0969da }
    .other { fill: #afb8c1 }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; stroke: #30363d }
      .title, .label { fill: #e6edf3 }
      .value { fill: #9da7b3 }
      .ours { fill: #58a6ff }
      .other { fill: #484f58 }
    }"""


class Bar(NamedTuple):
    """One of the things compared."""

    label: str
    value: float
    ours: bool


def chart(title: str, bars: Sequence[Bar]) -> str:
    """The bars from the longest to the shortest; all begin at 0."""
    ordered = sorted(bars, key=lambda bar: -bar.value)
    height = _TOP + _ROW * len(ordered) + _BOTTOM
    longest = ordered[0].value
    description = "; ".join(f"{bar.label} {bar.value:,.0f}" for bar in ordered)
    rows = [_row(number, bar, longest) for number, bar in enumerate(ordered)]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"',
            f'  aria-labelledby="title description" font-family="{_FONTS}">',
            f'  <title id="title">{escape(title)}</title>',
            f'  <desc id="description">{escape(description)}</desc>',
            "  <style>",
            _STYLE,
            "  </style>",
            f'  <rect class="page" x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="14"/>',
            f'  <text class="title" x="24" y="34">{escape(title)}</text>',
            *rows,
            "</svg>\n",
        )
    )


def _row(number: int, bar: Bar, longest: float) -> str:
    top = _TOP + _ROW * number
    length = max(1, round((WIDTH - _LEFT - _RIGHT) * bar.value / longest))
    kind = "ours" if bar.ours else "other"
    middle = top + _BAR // 2 + 5
    return "\n".join(
        (
            f'  <text class="label" x="{_LEFT - 12}" y="{middle}">{escape(bar.label)}</text>',
            f'  <rect class="{kind}" x="{_LEFT}" y="{top}" width="{length}" height="{_BAR}"/>',
            f'  <text class="value" x="{_LEFT + length + 10}" y="{middle}">{bar.value:,.0f}</text>',
        )
    )
