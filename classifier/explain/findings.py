"""Findings in full, the list of rules, and a rule's page.

In: rows of the table "findings", rules. Out: text, nothing in it that a terminal would obey. Next: `Report.explain`,
the section "findings", the command's verb `findings`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from classifier import units
from classifier.findings.catalog import page
from classifier.findings.model import FAMILIES
from classifier.render.escape import printable

if TYPE_CHECKING:
    from classifier.findings import Rule

WIDTH = 100
MARGIN = 10
"""Columns of the severity on the left."""
LONGEST_FILTER = 2000
Row = dict[str, Any]


def fired(rows: Iterable[Row]) -> list[Row]:
    """What was found, the worst first."""
    return [row for row in rows if row["status"] == "fired"]


def in_full(rows: Sequence[Row], width: int) -> list[str]:
    """Every finding as a paragraph; then what could not be checked, rules with one reason together."""
    lines: list[str] = []
    for row in fired(rows):
        lines += ["", *_paragraph(row, width)]
    skipped: dict[str, list[str]] = {}
    for row in rows:
        if row["status"] != "fired":
            codes = skipped.setdefault(str(row["skipped_because"]), [])
            if row["code"] not in codes:
                codes.append(str(row["code"]))
    if skipped:
        lines += ["", "Not checked, because this capture cannot answer:"]
    for because, codes in skipped.items():
        lines += _wrapped(f"{because}: {', '.join(codes)}", width, "  ")
    return lines


def _paragraph(row: Row, width: int) -> list[str]:
    lines = [f"{row['severity']!s:<{MARGIN}}{printable(row['title'])}  [{printable(row['code'])}]"]
    lines += _wrapped(row["summary"], width)
    lines += _wrapped(f"What to do: {row['remedy']}", width)
    where = []
    if row["first_record"]:
        where.append(f"first in record {row['first_record']:,}")
    if row["flow_ids"]:
        numbers = ", ".join(map(str, row["flow_ids"][:8])) + (", …" if len(row["flow_ids"]) > 8 else "")
        where.append(f"flow{'' if len(row['flow_ids']) == 1 else 's'} {numbers}")
    if where:
        lines += _wrapped(f"Where: {'; '.join(where)}", width)
    if row["display_filter"] and len(row["display_filter"]) <= LONGEST_FILTER:
        count = units.counted(row["selected_packets"], "packet")
        lines.append(f"{' ' * MARGIN}Wireshark ({count}): {printable(row['display_filter'])}")  # one line, to be copied
    lines += _wrapped(f"Source: {row['source']}", width)
    return lines


def _wrapped(text: str, width: int, margin: str = " " * MARGIN) -> list[str]:
    return textwrap.wrap(
        printable(text),
        max(width, 60),
        initial_indent=margin,
        subsequent_indent=margin if margin.strip() or len(margin) > 2 else margin + "  ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def explain_rule(rows: Sequence[Row], rule: Rule, width: int = WIDTH) -> str:
    """What a rule found in this capture, or why it could not tell; then its page."""
    mine = [row for row in rows if row["code"] == rule.code]
    lines = in_full(mine, width)[1:] if mine else [f"{rule.code} found nothing wrong in this capture."]
    return "\n".join([*lines, "", rule_text(rule)])


def rule_list(rules: Sequence[Rule]) -> str:
    """All rules by family: code, worst severity, what it is about."""
    width = max((len(rule.code) for rule in rules), default=0)
    lines: list[str] = []
    for family, name in FAMILIES.items():
        mine = [rule for rule in rules if rule.family == family]
        if mine:
            lines += [name, *(f"  {rule.code:<{width}}  {rule.severity:<7}  {rule.title}" for rule in mine), ""]
    return "\n".join([*lines, "One in full: classify findings show CODE"])


def rule_text(rule: Rule) -> str:
    """A rule's page, with what it requires, its settings and its source."""
    lines = [page(rule.code).rstrip(), "", f"Severity: {rule.severity}, at worst.", f"Source: {rule.source}"]
    if rule.needs:
        lines.append(f"Requires: {'; '.join(need.text for need in rule.needs)}.")
    if rule.settings:
        lines += ["", "Settings (--set CODE.NAME=NUMBER):"]
    for item in rule.settings:
        unit = f" {item.unit}" if item.unit else ""
        lines.append(f"  {rule.code}.{item.name} = {item.default:g}{unit}: {item.meaning}")
    return "\n".join(lines)
