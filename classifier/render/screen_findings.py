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
    """Two lines: how bad and what, then the rule's code and the hosts, counts and times as far as they fit."""
    severity, code, room = str(row["severity"]), f"{printable(row['code'])}: ", width - MARGIN
    title, summary = _cut(printable(row["title"]), room), _cut(printable(row["summary"]), room - len(code))
    return [
        Text.assemble((f"{severity:<{MARGIN}}", STYLES.get(severity, "")), (title, "bold")),
        Text.assemble(" " * MARGIN, (code, "dim"), summary),
    ]


def _cut(text: str, room: int) -> str:
    """At most `room` characters, ending between words."""
    if len(text) <= room:
        return text
    return textwrap.shorten(text, max(room, 12), placeholder=" …")
