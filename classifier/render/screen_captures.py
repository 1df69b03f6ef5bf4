"""What the captures say about themselves, as text: who made them, their interfaces, the notes in them.

In: a Report. Out: lines, every text of a file escaped. Next: `screen_tables`, below the table of quality.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from classifier import units
from classifier.render.escape import printable

if TYPE_CHECKING:
    from classifier.report import Report

CAPTURES = 50
INTERFACES = 20
"""Captures, and interfaces of each, that are shown; JSON has more."""


def lines(report: Report) -> list[str]:
    """A line per capture; below it one per interface that says something, and one per comment."""
    shown = [""]
    for info in report.captures[:CAPTURES]:
        made = [printable(text) for text in (info.hardware, info.os, info.application) if text]
        kind = " ".join(filter(None, (info.format, info.variant)))
        count = units.counted(len(info.interfaces), "interface") if info.format == "pcapng" else ""
        shown.append(f"{printable(info.path)}: {', '.join(filter(None, (kind, count, *made)))}")
        for number, interface in enumerate(info.interfaces[:INTERFACES]):
            text = _interface(interface)
            if text:
                shown.append(f"  interface {number}: {text}")
        if len(info.interfaces) > INTERFACES:
            shown.append(f"  and {len(info.interfaces) - INTERFACES:,} more interfaces")
        shown += [f"  comment on {each.about} {each.number:,}: {printable(each.text)}" for each in info.comments]
    if len(report.captures) > CAPTURES:
        shown.append(f"and {len(report.captures) - CAPTURES:,} more captures")
    return shown


def _interface(interface: Any) -> str:
    parts = [printable(text) for text in (interface.name, interface.description, interface.os) if text]
    if interface.filter:
        parts.append(f"filter: {printable(interface.filter)}")
    if interface.received is not None:
        parts.append(f"{units.counted(interface.received, 'packet')} received")
    if interface.dropped is not None:
        parts.append(f"{units.counted(interface.dropped, 'packet')} dropped")
    return ", ".join(parts)
