"""Whole tables as text: every row of a section, in columns an eye can follow.

In: a Report and section names. Out: text, one line per row, as wide as it needs to be (a pager with `-S` scrolls).
Columns are chosen and joined for reading (`orig` is address and port in one); JSON and CSV hold every column.
Values are escaped, rows are not wrapped, so that `grep` works on them. What is read more than searched has a view of
its own, for 80 columns (`VIEWS`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from classifier import units
from classifier.explain import findings
from classifier.render import screen_captures, screen_multicast, screen_streams, screen_timeline
from classifier.render.escape import printable

if TYPE_CHECKING:
    from classifier.report import Report

Row = dict[str, Any]
Layout = tuple[tuple[str, str, Callable[[Row], str]], ...]

CELL_LIMIT = 80
"""Longest text of one cell; the last column of a table has no limit."""

BOLD, DIM, RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def render(
    report: Report, sections: Sequence[str], *, width: int = 100, colour: bool = False, unicode: bool = True
) -> str:
    """The sections in the order asked, each under its name and number of rows. `width`: of curves."""
    return "\n".join(_section(report, section, width, colour, unicode) for section in sections)


def _section(report: Report, section: str, width: int, colour: bool, unicode: bool) -> str:
    rows = report.rows(section)
    count = units.counted(len(rows), "row") if rows else "none"
    if section == "findings":
        found = len(findings.fired(rows))
        count = f"{found:,} found, {len(rows) - found:,} not checked"
    title = f"{section.upper()}: {count}"
    lines = [f"{BOLD}{title}{RESET}" if colour else title]
    if rows:
        if section == "findings":
            lines += findings.in_full(rows, width)
        elif section == "timeline":
            lines += screen_timeline.lines(report, width=width, unicode=unicode)
        elif section in VIEWS:
            lines += VIEWS[section](rows)
        else:
            lines += _columns(rows, LAYOUTS.get(section) or _generic(section), colour)
    if section == "unclassified":
        lines += _stub(report.signature_stub())
    if section == "quality":
        said = screen_streams.verdict({row["measure"]: row["value"] for row in rows})
        lines += [*([""] if said else []), *said, *screen_captures.lines(report)]
    return "\n".join(lines) + "\n"


def _stub(toml: str) -> list[str]:
    """A signature for the largest, ready to be pasted: its lines stand alone, and nothing follows them."""
    if not toml:
        return []
    return [
        "",
        "A signature for the largest of them, for a file of your own (classify --signatures FILE):",
        "",
        toml.rstrip(),
    ]


def _columns(rows: Sequence[Row], layout: Layout, colour: bool) -> list[str]:
    table: list[list[str]] = []
    for heading, align, value in layout:
        cells = [value(row) for row in rows]
        width = max(len(heading), max(map(_width, cells)))
        pad = _pad_right if align == "left" else _pad_left
        table.append([pad(cell, width) for cell in (heading, *cells)])
    lines = ["  ".join(cells).rstrip() for cells in zip(*table, strict=True)]
    if colour:
        lines[0] = f"{DIM}{lines[0]}{RESET}"
    return lines


def _width(cell: str) -> int:
    return len(cell) if cell.isascii() else cell_len(cell)


def _pad_right(cell: str, width: int) -> str:
    return cell + " " * (width - _width(cell))


def _pad_left(cell: str, width: int) -> str:
    return " " * (width - _width(cell)) + cell


# -- cells


def _text(name: str, limit: int = CELL_LIMIT) -> Callable[[Row], str]:
    return lambda row: "" if row[name] is None else printable(row[name], limit)


def _count(name: str) -> Callable[[Row], str]:
    return lambda row: units.number(row[name])


def _size(name: str) -> Callable[[Row], str]:
    return lambda row: units.size(row[name])


def _rate(name: str) -> Callable[[Row], str]:
    return lambda row: units.rate(row[name])


def _share(row: Row) -> str:
    return units.percent(row["share"])


def _time(name: str, digits: int = 0) -> Callable[[Row], str]:
    return lambda row: "" if row[name] is None else units.moment(row[name], digits=digits)


def _list(name: str, limit: int = CELL_LIMIT) -> Callable[[Row], str]:
    return lambda row: printable(", ".join(map(str, row[name])), limit)


def _value(row: Row) -> str:
    value = row["value"]
    return units.number(round(value)) if value == round(value) else f"{value:.4g}"


def endpoint(address: str, port: int) -> str:
    """Address and port as one word; IPv6 in brackets when there is a port."""
    text = printable(address)
    if not port:
        return text
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"


def _endpoint(address: str, port: str) -> Callable[[Row], str]:
    return lambda row: endpoint(row[address], row[port])


def _sum(first: str, second: str, show: Callable[[int], str]) -> Callable[[Row], str]:
    return lambda row: show(row[first] + row[second])


def _grades(row: Row) -> str:
    parts = [f"{grade} {units.counted(v['flows'], 'flow')}" for grade, v in row["grades"].items() if v["packets"]]
    return ", ".join(parts)


def _duration(row: Row) -> str:
    if row["first_ns"] is None or row["last_ns"] is None:
        return ""
    return units.span(row["last_ns"] - row["first_ns"])


LAYOUTS: dict[str, Layout] = {
    "components": (
        ("component", "left", _text("id")),
        ("name", "left", _text("name")),
        ("packets", "right", _count("packets")),
        ("bytes", "right", _size("wire_bytes")),
        ("flows", "right", _count("flows")),
        ("share", "right", _share),
        ("mean", "right", _rate("mean_bps")),
        ("p95", "right", _rate("p95_bps")),
        ("peak (1 s)", "right", _rate("peak_bps")),
        ("peak (100 ms)", "right", _rate("peak_100ms_bps")),
        ("first (UTC)", "left", _time("first_ns")),
        ("lasted", "right", _duration),
        ("grades", "left", _grades),
    ),
    "flows": (
        ("flow", "right", _text("flow_id")),
        ("protocol", "left", _text("protocol")),
        ("originator", "left", _endpoint("orig_address", "orig_port")),
        ("responder", "left", _endpoint("resp_address", "resp_port")),
        ("component", "left", _text("component")),
        ("grade", "left", _text("grade")),
        ("packets", "right", _sum("orig_packets", "resp_packets", units.number)),
        ("sent", "right", _size("orig_wire_bytes")),
        ("answered", "right", _size("resp_wire_bytes")),
        ("tcp state", "left", _text("tcp_state")),
        ("first (UTC)", "left", _time("first_ns", 3)),
        ("lasted", "right", _duration),
        ("vlan", "right", _text("vlan")),
        ("layers", "left", _text("encapsulation")),
        ("name", "left", _text("name", 40)),
        ("evidence", "left", _list("evidence", 0)),
    ),
    "hosts": (
        ("address", "left", _text("address")),
        ("name", "left", _text("name", 40)),
        ("sent", "right", _size("sent_wire_bytes")),
        ("received", "right", _size("received_wire_bytes")),
        ("packets", "right", _sum("sent_packets", "received_packets", units.number)),
        ("flows", "right", _count("flows")),
        ("peers", "right", _count("peers")),
        ("macs", "left", _list("macs")),
        ("first (UTC)", "left", _time("first_ns")),
        ("last (UTC)", "left", _time("last_ns")),
        ("roles", "left", _list("roles", 0)),
    ),
    "ports": (
        ("component", "left", _text("component")),
        ("required", "left", _text("required")),
        ("client", "left", _text("client_address")),
        ("server", "left", _text("server_address")),
        ("port", "right", lambda row: f"{row['port'] or 'dynamic'}/{row['transport']}"),
        ("state", "left", _text("state")),
        ("tried (UTC)", "left", _time("tried_ns", 3)),
    ),
    "protocols": (
        ("protocol", "left", _text("protocol")),
        ("packets", "right", _count("packets")),
        ("bytes", "right", _size("wire_bytes")),
        ("flows", "right", _count("flows")),
        ("share", "right", _share),
    ),
    "unclassified": (
        ("protocol", "left", _text("protocol")),
        ("responder", "left", _endpoint("address", "port")),
        ("packets", "right", _count("packets")),
        ("bytes", "right", _size("wire_bytes")),
        ("flows", "right", _count("flows")),
        ("share", "right", _share),
        ("hint", "left", _text("hint", 0)),
    ),
    "others": (
        ("what", "left", _text("what")),
        ("component", "left", _text("component")),
        ("servers", "right", _count("servers")),
        ("packets", "right", _count("packets")),
        ("bytes", "right", _size("wire_bytes")),
        ("flows", "right", _count("flows")),
        ("share", "right", _share),
    ),
    "candidates": (
        ("component", "left", _text("component")),
        ("flow", "right", _text("flow_id")),
        ("reason", "left", _text("reason", 0)),
    ),
    "learned": (
        ("component", "left", _text("component")),
        ("endpoint", "left", _endpoint("address", "port")),
        ("by", "left", _text("by")),
        ("instance", "left", _text("instance")),
        ("version", "left", _text("version")),
        ("first (UTC)", "left", _time("first_ns", 3)),
    ),
    "quality": (
        ("measure", "left", _text("measure")),
        ("value", "right", _value),
        ("unit", "left", _text("unit")),
        ("meaning", "left", _text("meaning", 0)),
    ),
}


VIEWS: dict[str, Callable[[Sequence[Row]], list[str]]] = {
    "multicast": screen_multicast.lines,
    "streams": screen_streams.lines,
}


def _generic(section: str) -> Layout:
    """Every column of the section, for tables without a layout of their own."""
    from classifier.columns import TABLES

    layout: list[tuple[str, str, Callable[[Row], str]]] = []
    for column in TABLES[section]:
        if column.kind == "time":
            layout.append((column.name.removesuffix("_ns") + " (UTC)", "left", _time(column.name, 3)))
        elif column.kind == "list":
            layout.append((column.name, "left", _list(column.name)))
        else:
            layout.append((column.name, "right" if column.kind in ("int", "float") else "left", _text(column.name)))
    return tuple(layout)
