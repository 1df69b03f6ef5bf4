"""Multicast groups as text: one line per group and port, what is known of senders and receivers below it.

In: rows of the table "multicast". Out: lines of at most 80 columns as far as addresses allow. Next:
`render.screen_tables`. What is a group's (members, joins, queriers) is said at the first of its rows only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from classifier import units
from classifier.render.escape import printable

Row = dict[str, Any]

WIDTH = 80
INDENT = "    "


def lines(rows: Sequence[Row]) -> list[str]:
    """The view of all rows, in their order."""
    out = []
    said: set[str] = set()
    for row in rows:
        out += _head(row)
        if row["senders"]:
            out += wrapped("from", list(map(_sender, row["senders"], row["sender_ttls"])))
        if row["group"] not in said:
            said.add(row["group"])
            out += _membership(row)
        elif row["members"] or row["queriers"]:
            out.append(f"{INDENT}members and queriers as above")
    return out


def _head(row: Row) -> list[str]:
    group = printable(row["group"])
    if not row["packets"]:
        return [f"{group}  nothing sent to it in this capture, only joined"]
    name = f"[{group}]:{row['port']}" if ":" in group else f"{group}:{row['port']}"
    what = [printable(row["component"]) or printable(row["protocol"])]
    if row["streams"]:
        what.append(units.counted(row["streams"], "stream"))
    what.append(f"{units.rate(row['mean_bps'])} mean, {units.rate(row['peak_bps'])} peak")
    return wrapped(name, what, indent="")


def _sender(address: str, ttl: int) -> str:
    return f"{printable(address)} (TTL {ttl})" if ttl else printable(address)


def _membership(row: Row) -> list[str]:
    out = []
    if row["members"]:
        left = set(row["left"])
        out += wrapped("members", [printable(host) + (" (left)" if host in left else "") for host in row["members"]])
    else:
        out.append(f"{INDENT}no member: nobody reported membership in this capture")
    reports = [
        f"{units.counted(row[f'{kind}s'], kind)} {_when(row[f'first_{kind}_ns'], row[f'last_{kind}_ns'])}"
        for kind in ("join", "leave")
        if row[f"{kind}s"]
    ]
    if reports:
        out += wrapped("reports", reports)
    if row["queriers"]:
        asked = [printable(host) for host in row["queriers"]]
        out += wrapped("querier" if len(asked) == 1 else "queriers", [*asked, printable(row["querier_version"])])
    else:
        out.append(f"{INDENT}no querier seen")
    return out


def _when(first_ns: int, last_ns: int) -> str:
    first, last = units.moment(first_ns)[-8:], units.moment(last_ns)[-8:]
    return f"at {first}" if first == last else f"{first} to {last}"


def wrapped(title: str, items: Sequence[str], *, indent: str = INDENT, width: int = WIDTH) -> list[str]:
    """`title  item, item, ...`, continued below the first item where `width` ends; an item is never broken."""
    out = []
    line = f"{indent}{title}  "
    room = " " * min(len(line), 24)
    fresh = True
    for number, item in enumerate(items):
        piece = item if number == len(items) - 1 else f"{item},"
        if not fresh and len(line) + 1 + len(piece) > width:
            out.append(line)
            line, fresh = room, True
        line += piece if fresh else f" {piece}"
        fresh = False
    return [*out, line.rstrip()]
