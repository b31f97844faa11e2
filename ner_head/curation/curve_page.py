"""A learning curve as one self-contained page with an SVG plot, without a script."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.resources import files

from ner_head.curation.curve import Curve
from ner_head.pages.parts import head

WIDTH, HEIGHT = 800, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 20, 60
STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25)  # distances between grid lines


def page(curve: Curve) -> str:
    """The page as HTML."""
    style = (files("ner_head.curation") / "assets" / "curve.css").read_text(encoding="utf-8")
    rows = "".join(
        f"<tr><td>{p.n_documents:,.0f}</td><td>{p.f1:.3f}</td><td>{p.interval[0]:.3f} to {p.interval[1]:.3f}</td>"
        f"<td>{' '.join(f'{score:.3f}' for score in p.seeds)}</td></tr>"
        for p in curve.points
    )
    return (
        f"{head('Learning curve', style)}<h1>Learning curve</h1>\n"
        f"<p>{curve.sentence}</p>\n<figure>{''.join(_plot(curve))}</figure>\n"
        '<div class="scroll"><table><tr><th>documents</th><th>dev F1</th><th>95 % interval</th><th>each seed</th></tr>'
        f"{rows}</table></div>\n</body>\n</html>\n"
    )


def _plot(curve: Curve) -> Iterator[str]:
    """The parts of the plot: grid, interval, lines and points. The axis of documents is logarithmic."""
    end = curve.points[-1]
    last = end.n_documents + curve.more
    scores = [score for p in curve.points for score in (*p.interval, *p.seeds)] + [end.f1 + g for g in curve.gain[1]]
    low, high = max(min(scores), 0.0), min(max(scores), 1.0)
    step = next((s for s in STEPS if (high - low) / s <= 8), STEPS[-1])
    bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
    first, width = math.log(curve.points[0].n_documents), math.log(last) - math.log(curve.points[0].n_documents)

    def x(n: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log(n) - first) / max(width, 1e-9)

    def y(score: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (top - score) / max(top - bottom, 1e-9)

    def line(pairs: list[tuple[float, float]]) -> str:
        return " ".join(f"{x(n):.1f},{y(score):.1f}" for n, score in pairs)

    yield f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{curve.sentence}">'
    for k in range(round((top - bottom) / step) + 1):
        at = bottom + k * step
        yield f'<path class="grid" d="M{LEFT} {y(at):.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 8}" y="{y(at) + 4:.1f}" text-anchor="end">{at:.3f}</text>'
    shown = -math.inf
    for n in [*(p.n_documents for p in curve.points), last]:
        yield f'<path class="grid" d="M{x(n):.1f} {TOP}V{HEIGHT - BOTTOM + 5}"/>'
        if x(n) - shown > 60:
            shown = x(n)
            yield f'<text x="{shown:.1f}" y="{HEIGHT - BOTTOM + 24}" text-anchor="middle">{n:,.0f}</text>'
    yield f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 8}" text-anchor="middle">training documents</text>'
    upper = [(p.n_documents, p.interval[1]) for p in curve.points]
    lower = [(p.n_documents, p.interval[0]) for p in reversed(curve.points)]
    ahead = [(last, end.f1 + curve.gain[1][1]), (last, end.f1 + curve.gain[1][0])]
    yield f'<polygon class="band" points="{line([*upper, *lower])}"/>'
    yield f'<polygon class="band" points="{line([(end.n_documents, end.f1), *ahead])}"/>'
    yield f'<polyline class="ahead" points="{line([(end.n_documents, end.f1), (last, end.f1 + curve.gain[0])])}"/>'
    yield f'<polyline class="line" points="{line([(p.n_documents, p.f1) for p in curve.points])}"/>'
    for p in curve.points:
        yield from (f'<circle class="seed" cx="{x(p.n_documents):.1f}" cy="{y(s):.1f}" r="3"/>' for s in p.seeds)
        yield f'<circle class="mean" cx="{x(p.n_documents):.1f}" cy="{y(p.f1):.1f}" r="5"/>'
    yield "</svg>"
