"""What the rules about Digifort's groups share.

In: `Case.groups`. Out: `Need`s, settings, the announcements, who is one sender. Next: the rules dgf_mc_* and dgf_ann_*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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


MEDIA_GROUP = Need("packets to a Digifort media group", _media)
ANNOUNCEMENTS = Need("announcements of Digifort", _announcements)


def media_groups(case: Case) -> list[Group]:
    """Digifort's media groups that anybody sends to."""
    return [group for group in case.groups.of(MEDIA) if group.packets]


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


def good_ports(group: Group) -> Array:
    """The group's SOURCE rows on ports that the media group uses."""
    port = group.sources["port"]
    rows: Array = group.sources[(port >= FIRST_PORT) & (port <= LAST_PORT)]
    return rows
