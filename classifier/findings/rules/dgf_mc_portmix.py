"""DGF-MC-PORTMIX: one port of the media group carries more than one stream of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

from classifier.findings import filters, needs
from classifier.findings.case import Array, Case, listed
from classifier.findings.groups import Group
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.multicast import MEDIA_GROUP, MEDIA_SOURCE, PACKETS, SECOND, media_groups
from classifier.units import counted, span

STREAMS = 50
"""Streams of one port that are compared with each other."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for group in media_groups(case):
        for k in case.groups.with_rtp(group.sources):
            yield from _of_source(case, group, group.sources[k : k + 1], setting)


def _of_source(case: Case, group: Group, row: Array, setting: Callable[[str], float]) -> Iterator[Finding]:
    streams: dict[int, list[Any]] = {}  # by SSRC
    for flow in group.flow_ids(row):
        for stream in case.groups.ssrcs.get(flow, []):
            if int(stream["packets"]) >= setting("packets"):
                streams.setdefault(int(stream["ssrc"]), []).append((stream, flow))
    spans = {
        ssrc: (min(int(s["first_ns"]) for s, _ in parts), max(int(s["last_ns"]) for s, _ in parts))
        for ssrc, parts in list(streams.items())[:STREAMS]
    }
    together = [
        (min(spans[a][1], spans[b][1]) - max(spans[a][0], spans[b][0]), a, b) for a, b in combinations(spans, 2)
    ]
    together = [item for item in together if item[0] > setting("overlap") * SECOND]
    if not together:
        return
    mixed = list(dict.fromkeys(ssrc for _, a, b in together for ssrc in (a, b)))
    said = [
        f"SSRC 0x{ssrc:08x} (type {int(streams[ssrc][0][0]['pt'])}, "
        f"{counted(sum(int(s['packets']) for s, _ in streams[ssrc]), 'packet')})"
        for ssrc in mixed
    ]
    sender, port = case.addresses.text(int(row["sender"][0])), int(row["port"][0])
    flow_ids = list(dict.fromkeys(flow for ssrc in mixed for _, flow in streams[ssrc]))
    yield Finding(
        title=f"{len(mixed)} streams of {case.place(sender)} on one port of the media group: {group.address}:{port}",
        summary=(
            f"{listed(said)}, at the same time for {span(max(item[0] for item in together))}. A receiver of the port "
            "gets both and has to tell them apart by the SSRC."
        ),
        flow_ids=flow_ids,
        first_record=case.first_record(flow_ids),
        selection=filters.of_flows(case, flow_ids),
    )


RULE = Rule(
    code="DGF-MC-PORTMIX",
    severity="warning",
    title="One port of the media group carries several streams",
    remedy=(
        "See which program sends the second stream: a second instance on the server, or another sender that uses the "
        "server's address. Digifort itself takes a port of its own for each stream."
    ),
    source=MEDIA_SOURCE.format(
        "each different stream (From a different camera or different stream from the same camera) will increment the "
        "streaming port by 1"
    ),
    check=check,
    needs=(MEDIA_GROUP, needs.FOLLOWED),
    settings=(PACKETS, Setting("overlap", 1, "s", "that two streams must have run together; less is a restart")),
)
