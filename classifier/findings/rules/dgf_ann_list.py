"""DGF-ANN-LIST: who announces Digifort services, how often, and who uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.arrays import distinct
from classifier.findings import filters
from classifier.findings.case import Array, Case, listed, sorted_addresses
from classifier.findings.model import Finding, Rule
from classifier.findings.multicast import ANNOUNCE_SOURCE, GROUPS, announcements
from classifier.findings.rules.dgf_ann_none import SERVICES
from classifier.units import counted, span

MISSED = 3
"""Usual intervals without an announcement at the capture's end that are told (ours)."""
LISTED = 20
"""Announcing hosts with figures of their own."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    rows = announcements(case)
    if not len(rows):
        return
    senders = distinct(rows["sender"])
    names = sorted_addresses(case.addresses.texts(senders).tolist())
    said = [_figures(case, name, rows[rows["sender"] == case.addresses.find(name)]) for name in names[:LISTED]]
    serving = case.hosts_of(*SERVICES)
    unused = [name for name in names if name not in serving]
    unannounced = [name for name in serving if name not in names]
    notes = ""
    if unused:
        notes += f" Announced, but no connection to a Digifort service of it in this capture: {listed(unused)}."
    if unannounced:
        notes += f" In use, but never announced in this capture: {listed([_service(case, h) for h in unannounced])}."
    if not notes:
        notes = " Every announced host is in use, and every Digifort server in use is announced."
    group = case.addresses.text(int(rows["group"][0]))
    port = int(rows["port"][0])
    flow_ids = case.groups.flow_ids(rows)
    yield Finding(
        title=f"{counted(len(names), 'host')} {'announces' if len(names) == 1 else 'announce'} Digifort services: "
        f"{listed(names)}",
        summary=(
            f"{'; '.join(said)}{_more(names)}. Times are exact to {span(case.groups.width_ns)}.{notes} The messages' "
            "format is not public, so which service is announced is not known."
        ),
        flow_ids=flow_ids,
        first_record=case.first_record(flow_ids),
        selection=filters.to_group(case, group, port),
    )


def _more(names: list[str]) -> str:
    return f"; and {len(names) - LISTED:,} more" if len(names) > LISTED else ""


def _service(case: Case, host: str) -> str:
    return f"{case.place(host)} ({', '.join(name for part, name in SERVICES.items() if host in case.hosts_of(part))})"


def _figures(case: Case, name: str, rows: Array) -> str:
    """`10.0.0.5: 12 packets, every 10 s (longest gap 20 s from 08:13:20.250 UTC), TTL 1`."""
    packets = int(rows["packets"].sum())
    ttl = min((int(ttl) for ttl in rows["ttl"] if ttl), default=0)
    starts, every = times_of(case, rows)
    text = f"{case.place(name)}: {counted(packets, 'packet')}"
    if len(every):
        longest, usual = int(every.argmax()), int(np.median(every))
        text += f", every {span(usual)} (longest gap {span(int(every[longest]))} from {case.at(int(starts[longest]))})"
        if int(case.facts.totals["last_ns"]) - int(rows["last_ns"].max()) > MISSED * usual:
            text += f", none after {case.at(int(rows['last_ns'].max()))}"
    else:
        text += f" at {case.at(int(rows['first_ns'].min()))}"
    return text + (f", TTL {ttl}" if ttl else "")


def times_of(case: Case, rows: Array) -> tuple[Array, Array]:
    """(starts, spans between them) of announcements: what came in neighbouring time bins is one."""
    starts, _, _ = case.groups.over_time(rows)
    gaps = np.diff(starts)
    if len(gaps) and int(np.median(gaps)) > case.groups.width_ns:
        starts = starts[np.concatenate(([True], gaps > case.groups.width_ns))]
        gaps = np.diff(starts)
    return starts, gaps


RULE = Rule(
    code="DGF-ANN-LIST",
    severity="info",
    title="Who announces Digifort services",
    remedy=(
        "Compare the list with the servers that the site should have. One that is missing is off, on another "
        "network, or its multicast does not reach this point; one too many was forgotten."
    ),
    source=ANNOUNCE_SOURCE.format(
        "By using this information, clients and servers will be able to locate Digifort Services on network."
    ),
    check=check,
    needs=(GROUPS,),
)
