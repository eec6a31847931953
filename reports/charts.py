"""Charts as inline SVG for paper and screen: hatching and lightness tell apart what colour does, so that they hold in grey, too. Sizes are in CSS pixels."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from markupsafe import escape

from records.model import LEVELS

if TYPE_CHECKING:
    from collections.abc import Sequence

INK, MUTED, LINE, PANEL = "#1A2126", "#566169", "#C9CCC6", "#F1F2EE"
FILLS: Final = {"critical": "#AE1C17", "high": "#E9792B", "medium": "#F2CC45", "low": "#2E73B8", "none": "#848E95"}
EDGES: Final = {"critical": "#7A120F", "high": "#9A4A06", "medium": "#715700", "low": "#1F5A96", "none": "#566169"}
STEPS: Final = (0, 40, 60, 80, 100)
WIDTH: Final = 680
# Said on the drawing itself: WeasyPrint applies no style sheet to SVG, and left alone takes any font that has a letter, so Japanese forms of Chinese ones.
FAMILY: Final = "Noto Sans CJK SC, Noto Sans SC, Source Han Sans SC, PingFang SC, Microsoft YaHei, Helvetica Neue, Arial, sans-serif"


def _text(x: float, y: float, words: str, anchor: str = "start", size: float = 10.5, fill: str = MUTED, weight: int = 400) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}" font-weight="{weight}">{escape(words)}</text>'


def _rect(x: float, y: float, width: float, height: float, fill: str, edge: str = "none") -> str:
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{max(0.0, width):.2f}" height="{max(0.0, height):.2f}" fill="{fill}" stroke="{edge}" stroke-width="0.8"/>'


def _hatched(x: float, y: float, width: float, height: float, edge: str = MUTED, step: float = 4.0) -> str:
    """A rectangle of slanted lines: blind, not zero."""
    lines: list[str] = []
    at = -height
    while at < width:
        low, high = max(0.0, at), min(width, at + height)
        if high > low:
            lines.append(f"M{x + low:.2f} {y + height - (low - at):.2f}L{x + high:.2f} {y + height - (high - at):.2f}")
        at += step
    return _rect(x, y, width, height, "#FFFFFF", edge) + f'<path d="{"".join(lines)}" stroke="{edge}" stroke-width="0.7" fill="none"/>'


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" role="img"'
    return f'{head} font-family="{FAMILY}" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def scale(value: float, low: float, high: float, level: str, words: dict[str, str], label: str) -> str:
    """The index on its scale, with its interval and the steps of the levels."""
    width, left, top, height = 330.0, 6.0, 26.0, 12.0

    def place(points: float) -> float:
        return left + points * (width - 2 * left) / 100

    parts = [_rect(left, top, width - 2 * left, height, PANEL, LINE)]
    parts.append(_hatched(place(low), top, place(high) - place(low), height, EDGES[level]))
    for step in STEPS:
        parts.append(f'<path d="M{place(step):.1f} {top}v{height + 4}" stroke="{INK}" stroke-width="0.8"/>')
        anchor = "start" if step == 0 else "end" if step == 100 else "middle"
        parts.append(_text(place(step) + (-1 if step == 0 else 1 if step == 100 else 0), top + height + 15, str(step), anchor, 10))
    for word, (start, end) in zip(("low", "medium", "high", "critical"), pairwise(STEPS), strict=True):
        parts.append(_text((place(start) + place(end)) / 2, top + height + 29, words[word], "middle", 9.5))
    at = place(value)
    parts.append(f'<path d="M{at - 6:.1f} {top - 11}h12l-6 9z" fill="{FILLS[level]}" stroke="{EDGES[level]}" stroke-width="1"/>')
    parts.append(f'<path d="M{at:.1f} {top - 3}v{height + 6}" stroke="{EDGES[level]}" stroke-width="2.2"/>')
    return _svg(width, top + height + 34, label, parts)


def over_time(counts: Sequence[dict[str, int]], shares: Sequence[float], ticks: Sequence[str], words: dict[str, str], label: str) -> str:
    """New alerts a step as stacked bars; beneath, on the same axis, the share of each step that was seen: what is hatched was not."""
    left, top, height, ribbon = 34.0, 22.0, 74.0, 12.0
    most = max(1, *(sum(each.values()) for each in counts)) if counts else 1
    wide = (WIDTH - left - 4) / max(1, len(counts))
    parts = [_legend(left, words)]
    for mark in sorted({0, most // 2, most} if most > 1 else {0, most}):
        y = top + height - height * mark / most
        parts += [f'<path d="M{left} {y:.1f}H{WIDTH - 4}" stroke="{LINE}" stroke-width="0.7"/>', _text(left - 5, y + 3.5, f"{mark:,}", "end", 9.5)]
    under = top + height + 8
    bar = min(wide * 0.72, 46)
    for place, each in enumerate(counts):
        x, y = left + place * wide + (wide - bar) / 2, top + height
        for level in LEVELS:  # from the bottom of a bar upwards
            tall = height * each[level] / most
            if tall:
                y -= tall
                parts.append(_bar(level, x, y, bar, tall))
        parts.append(_seen(left + place * wide, under, wide, ribbon, shares[place]))
    every = max(1, -(-len(ticks) // 12))
    parts += [_text(left + place * wide + wide / 2, under + ribbon + 13, tick, "middle", 9.5) for place, tick in enumerate(ticks) if place % every == 0]
    parts.append(_rect(left, under, WIDTH - left - 4, ribbon, "none", MUTED))
    return _svg(WIDTH, under + ribbon + 18, label, parts)


def _bar(level: str, x: float, y: float, width: float, height: float) -> str:
    """Dark, mid, light and hatched: four that are told apart in grey."""
    if level == "low":
        return _hatched(x, y, width, height, EDGES["low"], 3.2)
    return _rect(x, y, width, height, FILLS[level], EDGES[level])


def _seen(x: float, y: float, width: float, height: float, share: float) -> str:
    """A step of the ribbon: grey where seen, hatched where not; what is missing shows, however little it is."""
    seen = width * share / 100
    if 100 - share > 0 and width - seen < 2:
        seen = max(0.0, width - 2)
    told = _rect(x, y, seen, height, "#B9BFC2") if seen else ""
    return told + (_hatched(x + seen, y, width - seen, height) if share < 100 else "")


def _legend(left: float, words: dict[str, str]) -> str:
    parts: list[str] = []
    x = left
    for level in LEVELS:
        parts += [_bar(level, x, 4, 10, 9), _text(x + 14, 12, words[level], size=10)]
        x += 26 + 6.4 * sum(2 if ord(letter) > 255 else 1 for letter in words[level])
    return "".join(parts)
