"""DGF-ANN-SCOPE: announcements that cannot reach hosts behind a router."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.arrays import distinct
from classifier.findings import filters
from classifier.findings.case import Array, Case, listed, sorted_addresses
from classifier.findings.model import Finding, Rule
from classifier.findings.multicast import ANNOUNCE_SOURCE, ANNOUNCEMENTS, announcements
from classifier.findings.sides import INITIAL_TTLS
from classifier.units import counted

MOST_ROUTERS = 30
"""A TTL further from the next initial value tells nothing (ours)."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    rows = announcements(case)
    owned = np.flatnonzero(case.of_product("digifort") & (case.flows.orig_packets > 0) & (case.flows.resp_packets > 0))
    routers = _routers(case, owned)
    for sender in distinct(rows["sender"]).tolist():
        of_sender = rows[rows["sender"] == sender]
        ttl = min((int(ttl) for ttl in of_sender["ttl"] if ttl), default=0)
        by_orig, by_resp = case.addresses.orig[owned] == sender, case.addresses.resp[owned] == sender
        far = (by_orig | by_resp) & (routers >= max(ttl, 1))
        if not ttl or not far.any():
            continue
        peers = np.where(by_orig, case.addresses.resp[owned], case.addresses.orig[owned])
        hosts = sorted_addresses(case.addresses.texts(distinct(peers[far])).tolist())
        near = set(distinct(peers[(by_orig | by_resp) & ~far]).tolist()) - set(distinct(peers[far]).tolist())
        name = case.addresses.text(sender)
        between = int(routers[far].min())
        flow_ids = [
            *case.groups.flow_ids(of_sender, 100),
            *owned[far][:100].tolist(),
        ]
        yield Finding(
            title=f"Announcements of {case.place(name)} cannot reach {counted(len(hosts), 'host')} behind a router",
            summary=(
                f"They are sent with TTL {ttl}, and the TTLs of their connections show at least "
                f"{counted(between, 'router')} between {name} and {listed(hosts)}. Lists of available servers there do "
                f"not show {name}; the connections themselves work. Not behind a router, and talking with it: "
                f"{counted(len(near), 'other host')}."
            ),
            flow_ids=flow_ids,
            first_record=case.first_record(flow_ids),
            selection=filters.of_flows(case, flow_ids),
        )


def _routers(case: Case, flows: Array) -> Array:
    """Routers between the two ends of flows: what both TTLs lack of an initial value; 0 where that is not clear."""

    def passed(ttl: Array) -> Array:
        start = np.asarray(INITIAL_TTLS)[np.searchsorted(INITIAL_TTLS, ttl).clip(max=len(INITIAL_TTLS) - 1)]
        return np.where((ttl > 0) & (start - ttl <= MOST_ROUTERS), start - ttl, 0)

    orig, resp = case.flows.orig_ttl[flows].astype("i8"), case.flows.resp_ttl[flows].astype("i8")
    total: Array = passed(orig) + passed(resp)
    return total


RULE = Rule(
    code="DGF-ANN-SCOPE",
    severity="warning",
    title="Announcements cannot reach hosts behind a router",
    remedy=(
        "Type the server's address in on clients and servers of other networks. Routing the announcements is no way "
        "out while they are sent with this TTL."
    ),
    source=(
        ANNOUNCE_SOURCE.format("these servers were found by receiving its service announcement messages")
        + "; RFC 1112 section 6.1: multicast is sent with TTL 1 unless the program chooses another"
    ),
    check=check,
    needs=(ANNOUNCEMENTS,),
)
