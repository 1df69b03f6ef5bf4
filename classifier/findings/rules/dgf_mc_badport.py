"""DGF-MC-BADPORT: packets to the media group on a port that Digifort does not use."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.arrays import distinct
from classifier.findings import filters
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule, nothing
from classifier.findings.multicast import FIRST_PORT, LAST_PORT, MEDIA_GROUP, MEDIA_SOURCE, media_groups
from classifier.units import counted


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for group in media_groups(case):
        port = group.sources["port"]
        rows = group.sources[(port < FIRST_PORT) | (port > LAST_PORT)]
        if not len(rows):
            continue
        ports = distinct(rows["port"]).tolist()
        senders = [case.addresses.text(int(number)) for number in distinct(rows["sender"])]
        only = ports[0] if len(ports) == 1 else None
        flow_ids = group.flow_ids(rows)
        yield Finding(
            title=f"Packets to the media group {group.address} on {listed([str(port) for port in ports], 'port')}",
            summary=(
                f"{counted(int(rows['packets'].sum()), 'packet')} from "
                f"{listed([case.place(name) for name in senders])}, the first at "
                f"{case.at(int(rows['first_ns'].min()))}. Digifort's media use ports {FIRST_PORT} to {LAST_PORT}, so "
                "this is probably another program that uses the same group."
            ),
            flow_ids=flow_ids,
            first_record=case.first_record(flow_ids),
            selection=filters.to_group(case, group.address, only) if only is not None else nothing,
        )


RULE = Rule(
    code="DGF-MC-BADPORT",
    severity="info",
    title="Other ports in use on the media group",
    remedy="Find the program that sends there, and give it or Digifort another group: both reach the same receivers.",
    source=MEDIA_SOURCE.format(
        "may use all UDP ports on the specified multicast address starting from port 1025 ... until it reaches port "
        "65534"
    ),
    check=check,
    needs=(MEDIA_GROUP,),
)
