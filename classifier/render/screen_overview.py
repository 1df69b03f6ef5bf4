"""The overview: what an engineer sees first, on 40 lines of 100 columns.

In: a Report. Out: text. Top to bottom: the capture, what could not be read, the components by product, findings,
streams with faults, hosts by role, what is unclassified, what else there is to ask for. Every block says how many of
its rows it left out and how to see them. Lines are shared out by importance (`_share_lines`).
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text

from classifier import units
from classifier.explain.findings import fired
from classifier.render import screen_findings, screen_streams, screen_timeline
from classifier.render.escape import middle, printable
from classifier.render.screen_components import PRODUCT_NAMES, ComponentTable
from classifier.render.screen_tables import endpoint
from classifier.render.text import make_console

if TYPE_CHECKING:
    from classifier.report import Report

HEIGHT = 38
"""Lines of the overview: 40 less the command's own line and the next prompt."""

LABEL = 14
"""Columns of the block titles on the left."""

VMS_PRODUCTS = ("digifort", "digital_sentry")
VMS_NAMES = tuple(PRODUCT_NAMES[product] for product in VMS_PRODUCTS)
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
        self.totals: Row = report.totals
        self.unlisted = {limit["section"]: limit["total"] - limit["listed"] for limit in report.limits()}
        self.components = ComponentTable(report, width, unicode)

    def lines(self) -> list[Any]:
        """Renderables, one or more lines each."""
        problems = self._problems()
        findings = self._findings()
        hosts = self._hosts()
        unclassified = self._unclassified()
        streams = self._streams()
        head = self._head()
        more = self._more()
        sentence = self._sentence()
        wanted = {"problems": len(problems), "findings": 2 * len(findings), "hosts": len(hosts)}
        wanted |= {"unclassified": len(unclassified), "streams": len(streams)}
        wanted |= self.components.wanted()
        blocks = [problems, findings, streams, hosts, unclassified, more]
        fixed = len(head) + len(sentence) + self.components.height() + len(more) + sum(1 for block in blocks if block)
        given = _share_lines(HEIGHT - fixed, wanted)

        lines: list[Any] = [*head]
        lines += self._block("PROBLEMS", problems, given["problems"], "problem", "--format json", "bold red")
        lines += sentence
        if self.components.groups:
            lines += ["", self.components.draw(given)]
        lines += self._finding_block(findings, given["findings"])
        counts = [1] * len(streams)
        lines += self._block("STREAMS", streams, given["streams"], "faulty stream", "--section streams", counts=counts)
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
            lines += [Text(line, "dim") for line in self._vantage()]
        link = self.report.time["link"]
        if link is not None and link["bins"]:
            lines.append(Text(screen_timeline.link_in_short(link), "bold red" if link["bins_above"] else ""))
        return lines

    def _vantage(self) -> list[str]:
        """What this capture can and cannot show, on two lines at most."""
        sentence = printable(self.report.vantage["sentence"])
        return textwrap.wrap(sentence, self.width, max_lines=2, placeholder=" …")

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
        lines += map(Text, screen_streams.lost_by_capture(self.report.rows("quality")))
        return lines

    def _sentence(self) -> list[Any]:
        if not self.totals["packets"]:
            return ["", Text("The capture holds no packets.", "bold")]
        if any(product in self.components.groups for product in VMS_PRODUCTS):
            return []
        return ["", Text("No Digifort or Digital Sentry component seen.", "bold")]

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

    def _findings(self) -> list[list[Text]]:
        """What is wrong, two lines each, the worst first."""
        rows = fired(self.report.rows("findings"))
        return [screen_findings.short(row, self.width - LABEL) for row in rows]

    def _finding_block(self, findings: list[list[Text]], given: int) -> list[Any]:
        """As `_block`, of pairs of lines: `given` lines, one of them says how much is left out."""
        kept = len(findings) if 2 * len(findings) <= given else max(0, given - 1) // 2
        lines = [line for pair in findings[:kept] for line in pair]
        if kept < len(findings) and given:
            more = units.counted(len(findings) - kept, "more finding" if kept else "finding")
            lines.append(Text(f"… {more} (--section findings)", "dim"))
        return self._block("FINDINGS", lines, len(lines), "finding", "--section findings")

    def _streams(self) -> list[Text]:
        """The streams that have a fault, the worst first."""
        rows = self.report.rows("streams")
        return list(map(Text, screen_streams.faults(rows, self.width - LABEL)))

    def _hosts(self) -> list[tuple[Text, int]]:
        """One line per set of roles, with its number of hosts; those of a product first, the busiest first."""
        rows = self.report.rows("hosts")
        groups: dict[tuple[str, ...], list[Row]] = {}
        for host in sorted(rows, key=_traffic, reverse=True):
            groups.setdefault(tuple(host["roles"]), []).append(host)
        plain = groups.pop((), [])
        ranked = sorted(groups.items(), key=lambda item: (not _is_vms(item[1]), -_traffic(item[1][0])))
        names = [_fit([_named(host) for host in hosts], 38) for _, hosts in ranked]
        width = max(map(cell_len, names[:12]), default=0)
        lines = []
        for name, (roles, hosts) in zip(names, ranked, strict=True):
            shown = _fit(_short_roles(roles), self.width - LABEL - width - 2)
            lines.append(
                (Text.assemble((name + " " * max(0, width - cell_len(name)), "bold"), "  ", shown), len(hosts))
            )
        unlisted = self.unlisted.get("hosts", 0)
        if plain:
            noun = "other host" if groups else "host"
            busiest = f"{_named(plain[0])} ({units.size(_traffic(plain[0]))})"
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
        comments = [comment for info in self.report.captures for comment in info.comments]
        if comments:
            text = f"{units.counted(len(comments), 'comment')} in the file: {printable(comments[0].text, 200)}"
            lines.append(self._pointer(text, "quality"))
        learned = self.report.rows("learned")
        if learned:
            first = learned[0]
            name = f" ({printable(first['instance'], 24)})" if first["instance"] else ""
            where = endpoint(first["address"], first["port"])
            text = f"learned by {printable(first['by'])}: {printable(first['component'])} at {where}{name}"
            more = f" and {len(learned) - 1:,} more" if len(learned) > 1 else ""
            lines.append(self._pointer(text + more, "learned"))
        streams = self.report.rows("streams")
        if streams and not any(map(screen_streams.is_bad, streams)):
            several = "more than " if self.unlisted.get("streams") else ""
            lines.append(self._pointer(f"{several}{units.counted(len(streams), 'stream')}, no loss", "streams"))
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


def _traffic(host: Row) -> int:
    return int(host["sent_wire_bytes"] + host["received_wire_bytes"])


def _named(host: Row) -> str:
    """The address, with the name that the capture gives it."""
    name = f" {printable(host['name'], 20)}" if host["name"] else ""
    return printable(host["address"]) + name


def _short_roles(roles: Sequence[str]) -> list[str]:
    """Role words; a product's name said once: `Digifort server, web server`."""
    shown: list[str] = []
    said = set()
    for role in roles:
        product = next((name for name in VMS_NAMES if role.startswith(name + " ")), "")
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
        ("components", 8), ("findings", 4), ("problems", 2), ("streams", 1), ("hosts", 3), ("unclassified", 1),
        ("findings", 11), ("streams", 3), ("components", 18), ("findings", 15), ("problems", 4), ("hosts", 8),
        ("unclassified", 3), ("other", 4),
        ("components", 99), ("hosts", 12), ("other", 10), ("network", 8), ("findings", 99), ("problems", 8),
        ("unclassified", 8), ("other", 99),
    )  # fmt: skip
    for key, upto in stages:
        extra = max(0, min(upto, wanted[key]) - given[key], 0)
        extra = min(extra, max(0, budget))
        given[key] += extra
        budget -= extra
    return given
