"""The report as text for people: one screen, or whole tables.

In: a Report and the sections asked for. Out: text, with ANSI colours only when asked. Without sections it is the
overview (`render.screen_overview`), with sections those tables in full (`render.screen_tables`).
Next: `classifier.cli` writes it to the terminal or a file. No arithmetic here beyond rounding for the eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classifier.report import Report

WIDTH = 100
"""Columns when the output is not a terminal."""


def render(
    report: Report,
    sections: Sequence[str] = (),
    *,
    width: int = WIDTH,
    colour: bool = False,
    encoding: str = "utf-8",
) -> str:
    """The overview, or the named sections as full tables, ending in a newline.

    `encoding` is what the text will be written in: characters it does not have are avoided.
    """
    unicode = can_encode(encoding)
    if sections:
        from classifier.render import screen_tables

        text = screen_tables.render(report, sections, width=width, colour=colour, unicode=unicode)
    else:
        from classifier.render import screen_overview

        text = screen_overview.render(report, width=width, colour=colour, unicode=unicode)
    return text if unicode else text.translate(_ASCII)


_ASCII = {ord("…"): "~", ord("·"): "-", ord("–"): "-", ord("µ"): "u", ord("×"): "x"}


def can_encode(encoding: str) -> bool:
    """Whether the block characters of a sparkline exist in `encoding`."""
    try:
        "▁▂▃▄▅▆▇█│…·".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def make_console(*, width: int, colour: bool) -> Any:
    """A rich console that writes into a string and obeys nothing but its arguments."""
    import io

    from rich.console import Console

    return Console(
        file=io.StringIO(),
        width=width,
        height=1000,
        color_system="standard" if colour else None,
        force_terminal=colour,
        force_jupyter=False,
        force_interactive=False,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
        no_color=not colour,
        _environ={},
    )
