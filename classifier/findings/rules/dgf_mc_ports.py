"""DGF-MC-PORTS: how many streams the media group carries, and on which ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.arrays import distinct
from classifier.findings import filters
from classifier.findings.case import NAMED, Case
from classifier.findings.groups import Group, lasted_s
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.multicast import FIRST_PORT, LAST_PORT, MEDIA_GROUP, MEDIA_SOURCE, good_ports, media_groups
from classifier.tables.facts import highest, lowest, sums
from classifier.units import counted, rate


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for group in media_groups(case):
        rows = good_ports(case, group)
        if len(rows):
            yield _finding(case, group, setting)


def _finding(case: Case, group: Group, setting: Callable[[str], float]) -> Finding:
    rows = good_ports(case, group)
    ports, at = np.unique(rows["port"], return_inverse=True)
    wire = sums(at, rows["wire"], len(ports))
    first, last = lowest(at, rows["first_ns"], len(ports)), highest(at, rows["last_ns"], len(ports))
    bps = wire * 8 / np.maximum((last - first) / 1e9, 1.0)
    most, when = case.groups.most_ports_at_once(rows)
    order = np.lexsort((ports, -bps))[:NAMED].tolist()
    rates = ", ".join(f"{int(ports[k])} {rate(float(bps[k]))}" for k in order)
    rest = f" and {len(ports) - NAMED:,} more" if len(ports) > NAMED else ""
    near = int(setting("near"))
    high, low = ports >= LAST_PORT - near, ports <= FIRST_PORT + near
    wrapped = high.any() and low.any() and int(first[low].min()) > int(first[high].min())
    wrap = (
        f" The numbers wrapped: port {int(ports[high].max())} came into use at {case.at(int(first[high].min()))}, "
        f"then port {int(ports[low].min())} at {case.at(int(first[low].min()))}."
        if wrapped
        else ""
    )
    flow_ids = group.flow_ids(rows)
    what = f"port {int(ports[0])}" if len(ports) == 1 else f"{len(ports):,} ports, {int(ports[0])} to {int(ports[-1])}"
    return Finding(
        title=f"The media group {group.address} uses {what}",
        summary=(
            f"One port is one stream. At most {counted(most, 'port')} in one second, first at {case.at(when)}. From "
            f"{counted(len(distinct(rows['sender'])), 'sender')}, {rate(float(wire.sum()) * 8 / lasted_s(rows))} "
            f"together while sent. By port: {rates}{rest}.{wrap}"
        ),
        flow_ids=flow_ids,
        first_record=case.first_record(flow_ids),
        selection=filters.to_group(case, group.address),
    )


RULE = Rule(
    code="DGF-MC-PORTS",
    severity="info",
    title="Ports of the multicast media",
    remedy=(
        "Firewalls between server and clients must let all UDP ports of the group pass, 1025 to 65534: the numbers "
        "go up with every new stream."
    ),
    source=MEDIA_SOURCE.format(
        "each different stream (From a different camera or different stream from the same camera) will increment the "
        "streaming port by 1 until it reaches port 65534 and restarts from 1025"
    ),
    check=check,
    needs=(MEDIA_GROUP,),
    settings=(Setting("near", 100, "ports", "from both ends of the range that tell a wrap"),),
)
