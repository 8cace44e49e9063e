"""Two curves as one SVG that needs nothing else: the loop's, and that of a model never renewed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from drivetrain.report.charts import Scale

WIDTH, HEIGHT = 860, 330
LEFT, RIGHT, TOP, BOTTOM = 64, 840, 44, 280
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#555}.title{font-size:14px;fill:#222}"
    ".rule{stroke:#ddd}.mark{stroke:#1a7f37;stroke-dasharray:3 3}.back{stroke:#b35900}"
    ".loop{stroke:#0b62c4;stroke-width:2.5;fill:none}.fixed{stroke:#8a8a8a;stroke-width:2;"
    "fill:none}"
)


def curves(
    title: str,
    metric: str,
    loop: Sequence[float],
    fixed: Sequence[float],
    *,
    promoted: Sequence[int],
    taken_back: Sequence[int] = (),
) -> str:
    """Draw both curves over the windows.

    Parameters
    ----------
    promoted, taken_back
        Windows after which a challenger became the champion, or its canary ended.
    """
    values = [value for value in (*loop, *fixed) if math.isfinite(value)]
    air = 0.06 * (max(values) - min(values)) or 1.0
    up = Scale(min(values) - air, max(values) + air, BOTTOM, TOP)
    across = Scale(0, len(loop) - 1, LEFT, RIGHT)
    parts = [f'<text class="title" x="{LEFT}" y="18">{escape(title)}</text>']
    for tick in up.ticks():
        y = up.at(tick)
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{float(y) + 4}" text-anchor="end">{tick:g}</text>')
    for kind, places in (("mark", promoted), ("mark back", taken_back)):
        for place in places:
            x = across.at(place + 0.5)
            parts.append(f'<line class="{kind}" x1="{x}" x2="{x}" y1="{TOP}" y2="{BOTTOM}"/>')
    for kind, line in (("fixed", fixed), ("loop", loop)):
        points = " ".join(f"{across.at(k)},{up.at(v)}" for k, v in enumerate(line)
                          if math.isfinite(v))  # fmt: skip
        parts.append(f'<polyline class="{kind}" points="{points}"/>')
    for window in range(0, len(loop), max(1, len(loop) // 12)):
        parts.append(f'<text x="{across.at(window)}" y="{BOTTOM + 18}" text-anchor="middle">'
                     f"{window + 1}</text>")  # fmt: skip
    parts += _legend(metric)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f'<style>{STYLE}</style><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f"{''.join(parts)}</svg>\n"
    )


def _legend(metric: str) -> list[str]:
    y = HEIGHT - 12
    entries = (
        ("loop", "the loop"), ("fixed", "never retrained"), ("mark", "a challenger promoted"),
        ("mark back", "a canary taken back"),
    )  # fmt: skip
    parts = [f'<text x="{LEFT}" y="36">{escape(metric)} of each window</text>']
    for place, (kind, words) in enumerate(entries):
        x = LEFT + 190 * place
        parts.append(f'<line class="{kind}" x1="{x}" x2="{x + 26}" y1="{y - 4}" y2="{y - 4}"/>')
        parts.append(f'<text x="{x + 34}" y="{y}">{words}</text>')
    return parts
