"""The overview's table of components: by product, as many rows as it is given.

In: a Report, the screen's width, how many lines each part may have. Out: a rich table. A product's own row sums its
components; what has no room is summed in one row. Columns come and go with the width; what is left over
goes to the trend. Next: `render.screen_overview`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from classifier import units
from classifier.render.escape import printable

if TYPE_CHECKING:
    from classifier.report import Report

Row = dict[str, Any]

GAP = 2
TREND_LEAST, TREND_MOST = 8, 20
TREND_NS = 3_000_000_000
"""In less time than this there is no trend to see in 1-second bins."""
TREND_WIDTH = 90
"""Least width of a screen with a trend."""

PRODUCT_NAMES = {
    "digifort": "Digifort",
    "digital_sentry": "Digital Sentry",
    "other": "Other services",
    "network": "Network protocols",
    "unclassified": "Unclassified",
}
NO_PRODUCT = ("other", "network", "unclassified")
GRADE_STYLES = {"confirmed": "green", "probable": "yellow"}
SUMS = ("share", "mean_bps", "wire_bytes", "packets")


class ComponentTable:
    """Components by product; `groups` are the rows of each product, in the report's order."""

    def __init__(self, report: Report, width: int, unicode: bool) -> None:
        self.report = report
        self.width = width
        self.blocks = units.BLOCKS if unicode else units.ASCII_BLOCKS
        self.groups: dict[str, list[Row]] = {}
        for row in report.rows("components"):
            self.groups.setdefault(str(row["product"]), []).append(row)

    def wanted(self) -> dict[str, int]:
        """Lines wanted below the products' own: `components` (of products), `other`, `network`."""
        own = sum(len(rows) for product, rows in self.groups.items() if product not in NO_PRODUCT)
        return {"components": own, **{name: len(self.groups.get(name, ())) for name in ("other", "network")}}

    def height(self) -> int:
        """Lines that are always needed: a blank one, the heading, each product's own."""
        return len(self.groups) + 2 if self.groups else 0

    def draw(self, given: dict[str, int]) -> Table:
        """The table, with as many component lines as `given` for each key of `wanted`."""
        rows = []
        left = given["components"]
        for product, members in self.groups.items():
            if product in NO_PRODUCT:
                take = min(len(members), given.get(product, 0))
            else:
                take = min(len(members), left)
                left -= take
            rows += self._group(product, members, take)
        columns = [column for column in _COLUMNS if self.width >= column[1]]
        cells = [[cell(row) for _, _, cell, _ in columns] for row in rows]
        widths = [max(cell_len(c[0]), *(cell_len(line[n].plain) for line in cells)) for n, c in enumerate(columns)]
        room = self.width - sum(widths[1:]) - GAP * len(columns)  # for the name and the trend
        trend = 0
        if self.width >= TREND_WIDTH and self.report.totals["duration_ns"] >= TREND_NS:
            trend = min(TREND_MOST, max(TREND_LEAST, room - widths[0]))
        widths[0] = min(widths[0], room - trend if trend else room + GAP)

        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_edge=False, header_style="dim")
        for (heading, _, _, justify), width in zip(columns, widths, strict=True):
            table.add_column(heading, justify=justify, no_wrap=True, overflow="ellipsis", width=width)
        if trend:
            table.add_column("TREND", no_wrap=True, width=trend)
        for row, line in zip(rows, cells, strict=True):
            table.add_row(*line, *([self._trend(row, trend)] if trend else []))
        return table

    def _group(self, product: str, rows: list[Row], take: int) -> list[Row]:
        """The product's own row, then its components as far as there is room."""
        name = PRODUCT_NAMES.get(product) or printable(self.report.product_name(product), 30)
        head = {"heading": name, **_sum(rows)}
        if product == "unclassified" or (take < 2 and len(rows) > take):
            names = ", ".join(printable(str(row["id"]).partition(".")[2]) for row in rows)
            head["heading"] += f" ({names})" if len(name + names) <= 23 else f" ({len(rows)})"
            return [head]
        shown = rows if take >= len(rows) else rows[: take - 1]
        result = [head, *({**row, "ids": [row["id"]], "product_name": name} for row in shown)]
        if len(shown) < len(rows):
            rest = rows[len(shown) :]
            result.append({"rest": len(rest), **_sum(rest)})
        return result

    def _trend(self, row: Row, points: int) -> Text:
        series = [self.report.trend(component, points) for component in row["ids"]]
        values = [sum(column) for column in zip(*series, strict=True)]
        return Text(units.sparkline(values, blocks=self.blocks), "cyan")


def _sum(rows: list[Row]) -> Row:
    """One row for several: what can be added up (a p95 or a peak cannot)."""
    total: Row = {name: sum(row[name] for row in rows) for name in SUMS}
    return total | {"ids": [row["id"] for row in rows]}


def _name_cell(row: Row) -> Text:
    if "heading" in row:
        return Text(row["heading"], "bold")
    if "rest" in row:
        return Text(f"  … {row['rest']} more", "dim")
    name = printable(row["name"] or row["id"]).removeprefix(row["product_name"] + " ")
    return Text("  " + name[:1].upper() + name[1:])


def _grade_cell(row: Row) -> Text:
    grades: dict[str, Row] = {g: v for g, v in (row.get("grades") or {}).items() if v["packets"]}
    if not grades:
        return Text("")
    if len(grades) == 1:
        grade = next(iter(grades))
        return Text(grade, GRADE_STYLES.get(grade, ""))
    total = sum(v["wire_bytes"] for v in grades.values()) or 1
    share = grades.get("confirmed", {"wire_bytes": 0})["wire_bytes"] / total
    return Text(f"{min(99, max(1, round(share * 100)))} % conf.", "green")


def _rate_cell(row: Row, column: str) -> Text:
    return Text(units.rate(row[column]) if column in row else "")


_COLUMNS: tuple[tuple[str, int, Callable[[Row], Text], Literal["left", "right"]], ...] = (
    ("COMPONENT", 0, _name_cell, "left"),
    ("GRADE", 0, _grade_cell, "left"),
    ("SHARE", 0, lambda row: Text(units.percent(row["share"])), "right"),
    ("MEAN", 0, lambda row: _rate_cell(row, "mean_bps"), "right"),
    ("P95", 80, lambda row: _rate_cell(row, "p95_bps"), "right"),
    ("PEAK (1 s)", 70, lambda row: _rate_cell(row, "peak_bps"), "right"),
    ("BYTES", 116, lambda row: Text(units.size(row["wire_bytes"])), "right"),
    ("PACKETS", 130, lambda row: Text(units.number(row["packets"])), "right"),
)
"""Heading, least width of the screen, cell, alignment. The trend comes after them, in what is left."""
