"""The ratios as an SVG: a bar for each rival, a line for each goal; for light pages and dark ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from tests.bench.machine import Machine
from tests.bench.runner import Match, Result

WIDTH: Final = 860
LEFT: Final = 350  # where bars begin
RIGHT: Final = 200  # what is kept for figures behind the longest
ROW: Final = 26
BAR: Final = 14

STYLE: Final = """
    .page { fill: #ffffff } text { fill: #1f2328; font: 13px system-ui, sans-serif }
    .head { font-weight: 600 } .dim { fill: #59636e; font-size: 12px }
    .bar { fill: #2f81f7 } .missed { fill: #d1742f } .open { fill: #8c959f }
    .goal { stroke: #1f2328; stroke-width: 2 } .axis { stroke: #d0d7de }
    @media (prefers-color-scheme: dark) {
        .page { fill: #0d1117 } text { fill: #e6edf3 } .dim { fill: #9198a1 }
        .goal { stroke: #e6edf3 } .axis { stroke: #3d444d } .open { fill: #656c76 }
    }
"""
COLOUR: Final = {True: "bar", False: "missed", None: "open"}


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    match: Match


def write(path: Path, machine: Machine, results: Sequence[Result]) -> None:
    """Against the limits of the machine above, against other ways of doing it below."""
    bars = [Bar(f"{result.path.what} / {match.rival.what}", match) for result in results for match in result.matches]
    panels = (
        ("Share of the limit: engine / the least that does the same work", [b for b in bars if b.match.rival.is_limit]),
        ("Times as fast: engine / other ways to run a step", [b for b in bars if not b.match.rival.is_limit]),
    )
    lines: list[str] = []
    top = ROW
    for title, of_panel in panels:
        if of_panel:
            lines += _panel(title, of_panel, top)
            top += ROW * (len(of_panel) + 2)
    runs = len(results[0].engine)
    lines.append(_text(16, top, f"Medians of {runs} interleaved runs. Line: goal. {machine}", "dim"))
    height = top + ROW
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="Ratios of the benchmark">\n<style>{STYLE}</style>\n'
        f'<rect class="page" width="{WIDTH}" height="{height}"/>\n' + "\n".join(lines) + "\n</svg>\n",
        encoding="utf-8",
    )


def _panel(title: str, bars: Sequence[Bar], top: int) -> Iterator[str]:
    """Its own scale, from nothing to the highest ratio or goal."""
    scale = (WIDTH - LEFT - RIGHT) / max(max(bar.match.ratio, bar.match.rival.goal or 0) for bar in bars)
    yield _text(16, top, title, "head")
    bottom = top + ROW * len(bars) + BAR // 2
    yield f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{top + BAR // 2}" y2="{bottom}"/>'
    for place, bar in enumerate(bars, start=1):
        ratio, goal, met = bar.match.ratio, bar.match.rival.goal, bar.match.met
        middle = top + ROW * place - BAR // 4
        end = LEFT + ratio * scale
        yield _text(16, middle + 5, bar.label)
        yield (
            f'<rect class="{COLOUR[met]}" x="{LEFT}" y="{middle - BAR // 2}" '
            f'width="{ratio * scale:.1f}" height="{BAR}" rx="2"/>'
        )
        told = f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"
        if goal is not None:
            at = LEFT + goal * scale
            end = max(end, at)
            yield f'<line class="goal" x1="{at:.1f}" x2="{at:.1f}" y1="{middle - BAR}" y2="{middle + BAR}"/>'
            told += f"  (goal {goal:g}: {'met' if met else 'missed'})"
        yield _text(round(end) + 8, middle + 5, told)


def _text(x: int, y: int, text: str, style: str = "") -> str:
    return f'<text x="{x}" y="{y}"' + (f' class="{style}"' if style else "") + f">{escape(text)}</text>"
