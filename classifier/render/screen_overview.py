"""The overview: what an engineer sees first, on 40 lines of 100 columns.

In: a Report. Out: text. Top to bottom: the capture, what could not be read, the components by product, findings,
hosts by role, what is unclassified, what else there is to ask for. Every block says how many of its rows it left
out and how to see them. Lines are shared out by importance (`_share_lines`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from classifier.render import units
from classifier.render.escape import middle, printable
from classifier.render.screen_tables import endpoint
from classifier.render.text import make_console

if TYPE_CHECKING:
    from classifier.report import Report

HEIGHT = 38
"""Lines of the overview: 40 less the command's own line and the next prompt."""

LABEL = 14
"""Columns of the block titles on the left."""

GAP = 2
TREND_LEAST, TREND_MOST = 8, 20
TREND_NS = 3_000_000_000
"""In less time than this there is no trend to see in 1-second bins."""
VMS_PRODUCTS = ("digifort", "digital_sentry")
PRODUCT_NAMES = {
    "digifort": "Digifort",
    "digital_sentry": "Digital Sentry",
    "other": "Other services",
    "network": "Network protocols",
    "unclassified": "Unclassified",
}
GRADE_STYLES = {"confirmed": "green", "probable": "yellow"}
SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
Row = dict[str, Any]


def render(report: Report, *, width: int, colour: bool, unicode: bool = True) -> str:
    """The overview as text, at most `HEIGHT` lines when every line fits `width`."""
    view = _Overview(report, max(60, width), unicode)
    console = make_console(width=max(60, width), colour=colour)
    for line in view.lines():
        console.print(line, no_wrap=True, overflow="ellipsis", crop=True)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


class _Overview:
    def __init__(self, report: Report, width: int, unicode: bool) -> None:
        self.report = report
        self.width = width
        self.unicode = unicode
        self.totals: Row = report.totals
        self.unlisted = {limit["section"]: limit["total"] - limit["listed"] for limit in report.limits()}
        self.groups = _by_product(report.rows("components"))
        self.products = [p for p in self.groups if p not in ("other", "network", "unclassified")]

    def lines(self) -> list[Any]:
        """Renderables, one or more lines each."""
        problems = self._problems()
        findings = self._findings()
        hosts = self._hosts()
        unclassified = self._unclassified()
        head = self._head()
        more = self._more()
        sentence = self._sentence()
        wanted = {"problems": len(problems), "findings": len(findings), "hosts": len(hosts)}
        wanted["unclassified"] = len(unclassified)
        own = [len(self.groups[p]) for p in self.products]
        wanted["components"] = sum(own)
        for product in ("other", "network"):
            wanted[product] = len(self.groups.get(product, ()))
        blocks = [problems, findings, hosts, unclassified, more]
        fixed = len(head) + len(sentence) + len(self.groups) + len(more) + sum(1 for block in blocks if block)
        fixed += 2 if self.groups else 0  # the table's heading and the blank line before it
        given = _share_lines(HEIGHT - fixed, wanted)

        lines: list[Any] = [*head]
        lines += self._block("PROBLEMS", problems, given["problems"], "problem", "--format json", "bold red")
        lines += sentence
        if self.groups:
            lines += ["", self._component_table(given)]
        lines += self._block("FINDINGS", findings, given["findings"], "finding", "--section findings")
        host_lines, counts = [line for line, _ in hosts], [count for _, count in hosts]
        lines += self._block("HOSTS", host_lines, given["hosts"], "host", "--section hosts", counts=counts)
        lines += self._block("UNCLASSIFIED", unclassified, given["unclassified"], "endpoint", "--section unclassified")
        lines += self._block("ALSO", more, len(more), "", "")
        return lines

    # -- the capture

    def _head(self) -> list[Text]:
        totals, captures = self.totals, self.report.captures
        duration = totals["duration_ns"]
        seconds = duration / 1e9 or 1.0
        facts = [units.counted(totals["packets"], "packet")]
        if totals["packets"]:
            facts.insert(0, units.span(duration))
            facts.append(units.size(totals["wire_bytes"]))
            facts.append(f"mean {units.rate(totals['wire_bytes'] * 8 / seconds)}")
        form = _form(captures)
        tail = "  " + " · ".join([form, *facts] if form else facts)
        name = printable(_together([_path(info.path) for info in captures]))
        room = self.width - len(tail)
        lines = []
        if room < min(len(name), 24):  # a long path or a long form: a line of its own
            lines.append(Text(middle(name, self.width), "bold"))
            lines.append(Text(tail.strip()))
        else:
            lines.append(Text.assemble((middle(name, room), "bold"), tail))
        if totals["first_ns"] is not None:
            lines.append(Text(f"{units.period(totals['first_ns'], totals['last_ns'])} (all times UTC)", "dim"))
        return lines

    def _problems(self) -> list[Text]:
        lines = [Text(printable(error)) for error in self.report.unreadable]
        lines += [Text(printable(problem.message)) for problem in self.report.problems]
        several = len(self.report.captures) > 1
        for info in self.report.captures:
            name = printable(_path(info.path), 40) + ": " if several or info.path == "-" else ""
            for problem in info.problems:
                place = f"record {problem.record:,}, byte {problem.offset:,}: " if problem.record > 0 else ""
                lines.append(Text.assemble((name + place, "bold"), printable(problem.message)))
            unlisted = info.problem_count - len(info.problems)
            if unlisted > 0:
                lines.append(Text(f"{name}{units.counted(unlisted, 'further problem')}"))
            if info.dropped:
                lines.append(Text(f"{name}{units.counted(info.dropped, 'packet')} dropped by the capturing machine"))
        return lines

    def _sentence(self) -> list[Any]:
        if not self.totals["packets"]:
            return ["", Text("The capture holds no packets.", "bold")]
        if any(product in self.groups for product in VMS_PRODUCTS):
            return []
        return ["", Text("No Digifort or Digital Sentry component seen.", "bold")]

    # -- components

    def _component_table(self, given: dict[str, int]) -> Table:
        columns = [column for column in _COLUMNS if self.width >= column[1]]
        rows = []
        left = given["components"]
        for product, members in self.groups.items():
            if product in self.products:
                take = min(len(members), left)
                left -= take
            else:
                take = min(len(members), given.get(product, 0))
            rows += self._group_rows(product, members, take)
        cells = [[cell(row) for _, _, cell, _ in columns] for row in rows]
        widths = [
            max(cell_len(column[0]), *(cell_len(line[n].plain) for line in cells)) for n, column in enumerate(columns)
        ]
        room = self.width - sum(widths[1:]) - GAP * len(columns)  # for the name and the trend
        trend = (
            0
            if self.width < 90 or self.totals["duration_ns"] < TREND_NS
            else min(TREND_MOST, max(TREND_LEAST, room - widths[0]))
        )
        widths[0] = min(widths[0], room - trend if trend else room + GAP)

        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_edge=False, header_style="dim")
        for (heading, _, _, justify), width in zip(columns, widths, strict=True):
            table.add_column(heading, justify=justify, no_wrap=True, overflow="ellipsis", width=width)
        if trend:
            table.add_column("TREND", no_wrap=True, width=trend)
        for row, line in zip(rows, cells, strict=True):
            table.add_row(*line, *([self._trend_cell(row, trend)] if trend else []))
        return table

    def _group_rows(self, product: str, rows: list[Row], take: int) -> list[Row]:
        """The product's own row, then its components as far as there is room."""
        head: Row = {
            "heading": product_name(product),
            "product": product,
            "share": sum(r["share"] for r in rows),
            "mean_bps": sum(r["mean_bps"] for r in rows),
            "wire_bytes": sum(r["wire_bytes"] for r in rows),
            "packets": sum(r["packets"] for r in rows),
            "ids": [r["id"] for r in rows],
        }
        if product == "unclassified" or (take < 2 and len(rows) > take):
            names = ", ".join(printable(str(r["id"]).partition(".")[2]) for r in rows)
            head["heading"] += f" ({names})" if len(head["heading"] + names) <= 23 else f" ({len(rows)})"
            return [head]
        shown = rows if take >= len(rows) else rows[: take - 1]
        result = [head, *({**r, "ids": [r["id"]]} for r in shown)]
        if len(shown) < len(rows):
            rest = rows[len(shown) :]
            result.append(
                {
                    "rest": len(rest),
                    "product": product,
                    "share": sum(r["share"] for r in rest),
                    "mean_bps": sum(r["mean_bps"] for r in rest),
                    "wire_bytes": sum(r["wire_bytes"] for r in rest),
                    "packets": sum(r["packets"] for r in rest),
                    "ids": [r["id"] for r in rest],
                }
            )
        return result

    def _trend_cell(self, row: Row, points: int) -> Text:
        series = [self.report.trend(component, points) for component in row["ids"][:40]]
        values = [sum(column) for column in zip(*series, strict=True)]
        blocks = units.BLOCKS if self.unicode else units.ASCII_BLOCKS
        return Text(units.sparkline(values, blocks=blocks), "cyan")

    # -- the blocks below

    def _block(
        self,
        title: str,
        rows: Sequence[Text],
        given: int,
        noun: str,
        where: str,
        style: str = "bold",
        counts: Sequence[int] = (),
    ) -> list[Any]:
        """A blank line, then the rows beside the title; the last line says how much is left out.

        `counts`: how many of `noun` each row stands for, one where not given.
        """
        if not rows:
            return []
        lines: list[Any] = [*rows]
        if len(rows) > given:
            kept = max(1, given - 1)
            left_out = sum(counts[kept:]) if counts else len(rows) - kept + self.unlisted.get(title.lower(), 0)
            rest = Text(f"… {units.counted(left_out, 'more ' + noun)} ({where})", "dim")
            lines = [*rows[:kept], rest] if given > 1 else [Text.assemble(rows[0], "  ", rest)]
        margins = [(f"{title:<{LABEL}}", style)] + [(" " * LABEL, "")] * (len(lines) - 1)
        return ["", *(Text.assemble(margin, line) for margin, line in zip(margins, lines, strict=True))]

    def _findings(self) -> list[Text]:
        order = {"error": 0, "warning": 1, "info": 2}
        fired = [f for f in self.report.rows("findings") if f["status"] == "fired"]
        fired.sort(key=lambda f: order.get(str(f["severity"]), 3))
        return [
            Text.assemble(
                (f"{f['severity']!s:<8}", SEVERITY_STYLES.get(str(f["severity"]), "")),
                printable(f["title"]),
                (f"  {printable(f['code'])}", "dim"),
            )
            for f in fired
        ]

    def _hosts(self) -> list[tuple[Text, int]]:
        """One line per set of roles, with its number of hosts; those of a product first, the busiest first."""
        rows = self.report.rows("hosts")
        groups: dict[tuple[str, ...], list[Row]] = {}
        for host in sorted(rows, key=_traffic, reverse=True):
            groups.setdefault(tuple(host["roles"]), []).append(host)
        plain = groups.pop((), [])
        ranked = sorted(groups.items(), key=lambda item: (not _is_vms(item[1]), -_traffic(item[1][0])))
        names = [_fit([printable(host["address"]) for host in hosts], 38) for _, hosts in ranked]
        width = max(map(cell_len, names[:12]), default=0)
        lines = []
        for name, (roles, hosts) in zip(names, ranked, strict=True):
            shown = _fit(_short_roles(roles), self.width - LABEL - width - 2)
            lines.append(
                (Text.assemble((name + " " * max(0, width - cell_len(name)), "bold"), "  ", shown), len(hosts))
            )
        unlisted = sum(
            limit["total"] - limit["listed"] for limit in self.report.limits() if limit["section"] == "hosts"
        )
        if plain:
            noun = "other host" if groups else "host"
            busiest = f"{printable(plain[0]['address'])} ({units.size(_traffic(plain[0]))})"
            count = len(plain) + unlisted
            lines.append((Text(f"{units.counted(count, noun)} without a role, busiest {busiest}"), count))
        elif unlisted:
            lines.append((Text(units.counted(unlisted, "quieter host")), unlisted))
        return lines

    def _unclassified(self) -> list[Text]:
        rows = sorted(self.report.rows("unclassified"), key=lambda r: -r["wire_bytes"])
        names = [f"{printable(r['protocol'])} {endpoint(r['address'], r['port'])}".strip() for r in rows]
        width = min(44, max(map(cell_len, names), default=0))
        lines = []
        for row, name in zip(rows, names, strict=True):
            line = Text(name + " " * max(0, width - cell_len(name)))
            line.append(f"  {units.size(row['wire_bytes']):>7}  {units.percent(row['share']):>7}")
            what = printable(row["hint"]) or (units.counted(row["flows"], "flow") if row["flows"] else "")
            line.append(f"  {what}")
            lines.append(line)
        return lines

    def _more(self) -> list[Text]:
        """What else the report knows, one line each."""
        lines = []
        learned = self.report.rows("learned")
        if learned:
            first = learned[0]
            name = f" ({printable(first['instance'], 24)})" if first["instance"] else ""
            where = endpoint(first["address"], first["port"])
            text = f"learned by {printable(first['by'])}: {printable(first['component'])} at {where}{name}"
            more = f" and {len(learned) - 1:,} more" if len(learned) > 1 else ""
            lines.append(self._pointer(text + more, "learned"))
        groups = self.report.rows("multicast")
        if groups:
            names = list(dict.fromkeys(printable(row["group"]) for row in groups))
            several = "more than " if self.unlisted.get("multicast") else ""
            text = f"{several}{units.counted(len(names), 'multicast group')}: {_fit(names, 44)}"
            lines.append(self._pointer(text, "multicast"))
        candidates = self.report.rows("candidates")
        if candidates:
            flows = len({row["flow_id"] for row in candidates})
            several = "more than " if self.unlisted.get("candidates") else ""
            text = f"{several}{units.counted(flows, 'flow')} on a component's port without other evidence"
            lines.append(self._pointer(text, "candidates"))
        return lines

    def _pointer(self, text: str, section: str) -> Text:
        """A line and where to read on, which is never cut off."""
        where = f" (--section {section})"
        line = Text(text)
        line.truncate(self.width - LABEL - len(where), overflow="ellipsis")
        return line.append(where, "dim")


# -- small helpers


def product_name(product: str) -> str:
    """What a product is called on the screen; a user's product by its own id."""
    known = PRODUCT_NAMES.get(product)
    return known if known else printable(product.replace("_", " ").title())


def _by_product(rows: Iterable[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(str(row["product"]), []).append(row)
    return groups


def _name_cell(row: Row) -> Text:
    if "heading" in row:
        return Text(row["heading"], "bold")
    if "rest" in row:
        return Text(f"  … {row['rest']} more", "dim")
    name = printable(row["name"] or row["id"])
    name = name.removeprefix(product_name(str(row["product"])) + " ")
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


def _traffic(host: Row) -> int:
    return int(host["sent_wire_bytes"] + host["received_wire_bytes"])


def _short_roles(roles: Sequence[str]) -> list[str]:
    """Role words; a product's name said once: `Digifort server, web server`."""
    shown: list[str] = []
    said = set()
    for role in roles:
        product = next((name for name in map(product_name, VMS_PRODUCTS) if role.startswith(name + " ")), "")
        shown.append(printable(role.removeprefix(product + " ") if product in said else role))
        if product:
            said.add(product)
    return shown


def _is_vms(hosts: list[Row]) -> bool:
    return any(host["products"] for host in hosts)


def _fit(names: list[str], room: int) -> str:
    """As many names as fit, and how many did not."""
    text = ""
    for index, name in enumerate(names):
        longer = f"{text}, {name}" if text else name
        rest = len(names) - index - 1
        if text and len(longer) + (len(f" and {rest:,} more") if rest else 0) > room:
            return f"{text} and {rest + 1:,} more"
        text = longer
    return text


def _path(path: str) -> str:
    return "standard input" if path == "-" else path


def _together(paths: Sequence[str]) -> str:
    """One path as it is; several by their number and folder, or by their names."""
    if len(paths) == 1:
        return paths[0]
    folders = {os.path.dirname(path) for path in paths}  # noqa: PTH120 (text, as it was given)
    folder = folders.pop()
    if folder and not folders:
        return f"{len(paths)} captures in {folder}"
    return f"{len(paths)} captures: {_fit([os.path.basename(path) for path in paths], 40)}"  # noqa: PTH119


def _form(captures: Sequence[Any]) -> str:
    """`pcapng, gzip, Ethernet` of one capture; of several only what they share."""
    if not captures:
        return ""
    parts = []
    for value in (
        {c.format for c in captures},
        {c.compression for c in captures},
        {", ".join(_link(name) for name in c.link_types) for c in captures},
    ):
        text = next(iter(value)) if len(value) == 1 else None
        if text:
            parts.append(printable(text, 30))
    return " ".join(parts)


def _link(name: str) -> str:
    return {"ETHERNET": "Ethernet", "LINUX_SLL": "Linux cooked", "LINUX_SLL2": "Linux cooked v2"}.get(name, name)


def _share_lines(budget: int, wanted: dict[str, int]) -> dict[str, int]:
    """Hand out `budget` lines: a little to everyone in order of importance, then what is left in the same order."""
    given = dict.fromkeys(wanted, 0)
    stages = (
        ("components", 8), ("findings", 2), ("problems", 2), ("hosts", 3), ("unclassified", 1),
        ("components", 18), ("findings", 5), ("problems", 4), ("hosts", 8), ("unclassified", 3), ("other", 4),
        ("components", 99), ("hosts", 12), ("other", 10), ("network", 8), ("findings", 9), ("problems", 8),
        ("unclassified", 8), ("other", 99),
    )  # fmt: skip
    for key, upto in stages:
        extra = max(0, min(upto, wanted[key]) - given[key], 0)
        extra = min(extra, max(0, budget))
        given[key] += extra
        budget -= extra
    return given
