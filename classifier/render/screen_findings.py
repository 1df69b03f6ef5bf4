"""Findings on the overview: two lines each.

In: rows of the table "findings". Out: text lines. Next: `screen_overview`. In full they are `explain.findings`.
"""

from __future__ import annotations

import textwrap
from typing import Any

from rich.text import Text

from classifier.explain.findings import MARGIN
from classifier.render.escape import printable

STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
Row = dict[str, Any]


def short(row: Row, width: int) -> list[Text]:
    """Two lines: how bad and what, then the hosts, counts and times as far as they fit."""
    severity = str(row["severity"])
    code = f"  {printable(row['code'])}"
    title = _cut(printable(row["title"]), width - MARGIN - len(code))
    return [
        Text.assemble((f"{severity:<{MARGIN}}", STYLES.get(severity, "")), (title, "bold"), (code, "dim")),
        Text(" " * MARGIN + _cut(printable(row["summary"]), width - MARGIN), ""),
    ]


def _cut(text: str, room: int) -> str:
    """At most `room` characters, ending between words."""
    if len(text) <= room:
        return text
    return textwrap.shorten(text, max(room, 12), placeholder=" …")
