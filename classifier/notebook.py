"""How a report shows itself in a notebook.

In: a Report. Out: HTML with every text escaped, no script, no external resource. Next: Jupyter.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

from classifier.render.escape import printable

if TYPE_CHECKING:
    from classifier.report import Report

ROWS = 30


def as_html(report: Report) -> str:
    """What was read, and the components."""
    totals = report.totals
    parts = [
        f"<p><b>{_safe(', '.join(str(info.path) for info in report.captures[:5]))}</b>: "
        f"{totals['packets']:,} packets, {totals['wire_bytes']:,} wire bytes, {totals['flows']:,} flows, "
        f"{totals['duration_ns'] / 1e9:,.3f} s</p>"
    ]
    problems = [problem for info in report.captures for problem in info.problems]
    for problem in problems[:5]:
        parts.append(f"<p>Not read completely: {_safe(problem.message)}</p>")
    rows = report.rows("components")
    parts.append(
        _table(
            ("component", "name", "grade", "packets", "wire bytes", "flows", "share", "mean Mbit/s", "peak Mbit/s"),
            (
                (
                    row["id"],
                    row["name"],
                    ", ".join(grade for grade, sums in row["grades"].items() if sums["packets"]),
                    f"{row['packets']:,}",
                    f"{row['wire_bytes']:,}",
                    f"{row['flows']:,}",
                    f"{row['share']:.1%}",
                    f"{row['mean_bps'] / 1e6:,.3f}",
                    f"{row['peak_bps'] / 1e6:,.3f}",
                )
                for row in rows[:ROWS]
            ),
        )
    )
    if len(rows) > ROWS:
        parts.append(f"<p>and {len(rows) - ROWS} more components</p>")
    return "\n".join(parts)


def _safe(text: object) -> str:
    """Text as HTML, and without what a page or a terminal would obey: control characters are shown as escapes."""
    return escape(printable(text))


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    def line(cells: Iterable[Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{_safe(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{body}</tbody></table>"
