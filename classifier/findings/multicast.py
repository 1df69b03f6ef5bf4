"""What the rules about Digifort's groups share.

In: `Case.groups`. Out: `Need`s, settings, the announcements, who is one sender. Next: the rules dgf_mc_* and dgf_ann_*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from classifier.evidence.marks import mark_bit
from classifier.findings.case import once
from classifier.findings.groups import ANNOUNCEMENT, MEDIA
from classifier.findings.model import Need, Setting

if TYPE_CHECKING:
    from classifier.findings.case import Array, Case
    from classifier.findings.groups import Group

SECOND = 1_000_000_000
FIRST_PORT, LAST_PORT = 1025, 65534
"""Ports of the media group: "starting from port 1025 ... until it reaches port 65534 and restarts from 1025"."""

MEDIA_SOURCE = 'Digifort Ports and Addresses, section 3.6: "{}"'
ANNOUNCE_SOURCE = 'Digifort Ports and Addresses, section 3.5: "{}"'

PACKETS = Setting("packets", 10, "packets", "that a sender must have sent to count")


def _media(case: Case) -> str:
    if media_groups(case):
        return ""
    named = " or ".join(case.groups.addresses_of(MEDIA))
    return f"nothing here is sent to the media group {named} (--map digifort.multicast_media=GROUP names another one)"


def _announcements(case: Case) -> str:
    return "" if len(announcements(case)) else "no announcement of Digifort (225.0.0.100, 8650/udp) in this capture"


def _used(case: Case) -> str:
    if any(case.groups.of(component) for component in (MEDIA, ANNOUNCEMENT)):
        return ""
    return "nobody sends to or joins a group of Digifort in this capture"


GROUPS = Need("a group of Digifort in use", _used)
MEDIA_GROUP = Need("packets to a Digifort media group", _media)
ANNOUNCEMENTS = Need("announcements of Digifort", _announcements)


def media_groups(case: Case) -> list[Group]:
    """Digifort's media groups that anybody sends to."""
    return [group for group in case.groups.of(MEDIA) if group.packets]


@once
def announcements(case: Case) -> Array:
    """SOURCE rows of Digifort's announcements."""
    groups, signature = case.groups, case.facts.signatures.get(ANNOUNCEMENT)
    if signature is None:
        return groups.sources[:0]
    numbers = [number for number in map(case.addresses.find, signature.groups) if number >= 0]
    hit = np.isin(groups.sources["group"], numbers) & signature.ports.mask()[groups.sources["port"]]
    found: Array = groups.sources[hit]
    return found


def announcers(case: Case) -> set[int]:
    """Address numbers of the hosts that announce."""
    return set(announcements(case)["sender"].tolist())


def good_ports(case: Case, group: Group) -> Array:
    """The group's SOURCE rows on ports that the media group uses, without those of RTCP alone."""
    port = group.sources["port"]
    rows: Array = group.sources[(port >= FIRST_PORT) & (port <= LAST_PORT) & ~only_rtcp(case, group.sources)]
    return rows


def only_rtcp(case: Case, sources: Array) -> Array:
    """(n,) bool: SOURCE rows of reports only: receivers of RTP send them to the group as well (RFC 3550 6)."""
    bits = case.flows.evidence[case.groups.flows]
    reports = (bits & mark_bit("rtcp") != 0) & (bits & mark_bit("rtp") == 0)
    before = np.concatenate(([0], np.cumsum(reports)))
    count: Array = before[sources["high"]] - before[sources["low"]]
    only: Array = count == sources["high"] - sources["low"]
    return only
