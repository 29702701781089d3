"""A calendar of sends as SVG: a row for each week, a cell for each day; for light pages and dark ones."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from html import escape
from typing import Final

CELL: Final = 124
HEIGHT: Final = 64
TOP: Final = 64
LEFT: Final = 16
LINES: Final = 2
"""Lines of text in a cell below its date."""
CHARACTERS: Final = 17
"""That fit in a line of a cell."""
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MOST_WEEKS: Final = 106

STYLE: Final = """
    .page { fill: #ffffff } text { fill: #1f2328; font: 12px system-ui, sans-serif }
    .head { font-weight: 600; font-size: 14px } .dim { fill: #59636e }
    .day { fill: none; stroke: #d0d7de } .busy { fill: #2f81f7; stroke: none }
    @media (prefers-color-scheme: dark) {
        .page { fill: #0d1117 } text { fill: #e6edf3 } .dim { fill: #9198a1 } .day { stroke: #3d444d }
    }
"""


class TooLong(ValueError):  # noqa: N818  # it is an answer
    """The calendar would be longer than anybody looks at."""


def draw(title: str, days: Mapping[date, tuple[int, list[str]]]) -> str:
    """The SVG document of days with their number of sends, which colours a cell, and what to write into it.

    Raises TooLong for more than two years.
    """
    if not days:
        first = last = None
    else:
        first, last = _monday(min(days)), _monday(max(days))
    weeks = 0 if first is None or last is None else (last - first).days // 7 + 1
    if weeks > MOST_WEEKS:
        raise TooLong(f"from {min(days)} to {max(days)} it is {weeks} weeks: a calendar holds {MOST_WEEKS}")
    width, height = LEFT * 2 + CELL * 7, TOP + HEIGHT * weeks + LEFT
    lines = [_text(LEFT, 24, title, "head")]
    lines += [_text(LEFT + CELL * place + 6, TOP - 10, name, "dim") for place, name in enumerate(DAYS)]
    if first is not None:
        most = max(count for count, _ in days.values())
        for place in range(weeks * 7):
            lines += _cell(place, first + timedelta(days=place), days, most)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title, quote=True)}">\n<style>{STYLE}</style>\n'
        f'<rect class="page" width="{width}" height="{height}"/>\n' + "\n".join(lines) + "\n</svg>\n"
    )


def _cell(place: int, day: date, days: Mapping[date, tuple[int, list[str]]], most: int) -> Iterator[str]:
    week, weekday = divmod(place, 7)
    x, y = LEFT + CELL * weekday, TOP + HEIGHT * week
    count, texts = days.get(day, (0, []))
    if count:
        opacity = 0.15 + 0.45 * count / most
        yield _box("busy", x, y, f' fill-opacity="{opacity:.2f}"')
    yield _box("day", x, y)
    shown_month = place == 0 or day.day == 1
    yield _text(x + 6, y + 16, day.strftime("%d %b %Y") if shown_month else str(day.day), "" if count else "dim")
    for line, text in enumerate(_fitting(texts)):
        yield _text(x + 6, y + 34 + 16 * line, text)


def _fitting(texts: list[str]) -> list[str]:
    shown = texts if len(texts) <= LINES else [*texts[: LINES - 1], f"and {len(texts) - LINES + 1} more"]
    return [text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 1]}…" for text in shown]


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _box(style: str, x: int, y: int, more: str = "") -> str:
    return f'<rect class="{style}" x="{x}" y="{y}" width="{CELL}" height="{HEIGHT}"{more}/>'


def _text(x: int, y: int, text: str, style: str = "") -> str:
    return f'<text x="{x}" y="{y}"' + (f' class="{style}"' if style else "") + f">{escape(text)}</text>"
