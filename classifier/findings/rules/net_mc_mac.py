"""NET-MC-MAC: packets to a group in frames that are not addressed to the group's MAC address."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.arrays import distinct
from classifier.columns import encapsulation_name
from classifier.findings import filters
from classifier.findings.case import Array, Case, listed
from classifier.findings.model import FLOWS_OF_A_FINDING, Finding, Rule
from classifier.tables.addresses import mac_text
from classifier.units import counted

_GROUP_BIT = 1 << 40


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    flows = case.groups.flows
    mac = case.flows.resp_mac[flows]
    wrong = flows[(mac != 0) & (mac != _expected(case, flows)) & (case.flows.resp_packets[flows] == 0)]
    if not len(wrong):
        return
    plain = [code for code in distinct(case.flows.encap[wrong]).tolist()
             if set(encapsulation_name(code).split("+")) <= {"", "vlan"}]  # fmt: skip
    wrong = wrong[np.isin(case.flows.encap[wrong], plain)]
    single = (case.flows.resp_mac[wrong] & _GROUP_BIT) == 0
    if single.any():
        yield _finding(case, wrong[single], "sent to single hosts' MAC addresses", _UNICAST, "info")
    if (~single).any():
        yield _finding(case, wrong[~single], "sent to another group's MAC address", _OTHER, "warning")


_UNICAST = (
    "A switch or an access point turned multicast into unicast, which is usual on wireless networks, or a device "
    "between does it wrongly."
)
_OTHER = "Network cards of members do not take such frames, and snooping switches send them elsewhere."


def _expected(case: Case, flows: Array) -> Array:
    """(n,) i8: the MAC address of each flow's group (RFC 1112 6.4, RFC 2464 7)."""
    words = case.flows.resp_addr[flows, 3].astype("i8")
    four = case.flows.version[flows] == 4
    out: Array = np.where(four, 0x01005E000000 | words & 0x7FFFFF, 0x333300000000 | words)
    return out


def _finding(case: Case, flows: Array, how: str, meaning: str, severity: str) -> Finding:
    pairs = np.unique(np.stack([case.addresses.resp[flows], case.flows.resp_mac[flows]], axis=1), axis=0)
    said = [f"{case.addresses.text(int(group))} to {mac_text(int(mac))}" for group, mac in pairs[:10].tolist()]
    names = list(dict.fromkeys(case.addresses.texts(pairs[:, 0]).tolist()))
    return Finding(
        title=f"Packets to {counted(len(names), 'group')} {how}: {listed(names)}",
        summary=f"{listed(said)} ({counted(len(flows), 'flow')}; the first packet of each was looked at). {meaning}",
        flow_ids=flows[:FLOWS_OF_A_FINDING].tolist(),
        first_record=case.first_record(flows.tolist()),
        selection=filters.of_flows(case, flows[:10].tolist()),
        severity=severity,
    )


RULE = Rule(
    code="NET-MC-MAC",
    severity="warning",
    title="Multicast in frames with another MAC address",
    remedy="Find the device that sends these frames by their source MAC address, and look at its multicast settings.",
    source="RFC 1112 section 6.4, RFC 2464 section 7: the group's MAC address holds its last 23 (IPv6: 32) bits",
    check=check,
)
