"""One table of the report as CSV (RFC 4180, lines end in a line feed, UTF-8).

In: a Report and a section's name. Out: bytes. Lists are joined by "; ", maps become one column per entry, times stay
integer nanoseconds, missing values are empty. Next: `classifier.cli`, a spreadsheet: a text that it would take for a
formula gets an apostrophe in front, and control characters are escaped.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from classifier.columns import TABLES
from classifier.render.escape import printable
from classifier.tables.components import GRADE_MEASURES, GRADE_NAMES

if TYPE_CHECKING:
    from classifier.report import Report

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MAPS = {"grades": [(grade, measure) for grade in GRADE_NAMES for measure in GRADE_MEASURES]}


def render(report: Report, section: str = "components") -> bytes:
    """The table with a line of column names; raises ValueError for an unknown section."""
    rows = report.rows(section)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names: list[str] = []
    for column in TABLES[section]:
        names += [f"{a}_{b}" for a, b in _MAPS[column.name]] if column.name in _MAPS else [column.name]
    writer.writerow(names)
    maps = [name for name in _MAPS if any(column.name == name for column in TABLES[section])]
    for row in rows:
        values: list[Any] = []
        for name, value in row.items():
            values += [value[a][b] for a, b in _MAPS[name]] if name in maps else [cell(value)]
        writer.writerow(values)
    return out.getvalue().encode("utf-8")


def cell(value: Any) -> Any:
    """A value as it is written: numbers as they are, everything else as safe text."""
    if value is None:
        return ""
    if isinstance(value, list):
        value = "; ".join(map(str, value))
    if not isinstance(value, str):
        return value
    text = value if value.isascii() and value.isprintable() else printable(value)
    return f"'{text}" if value.startswith(_FORMULA) or text.startswith(_FORMULA) else text
