"""NET-PMTU: packets are too big for a link on the way, and their sender does not listen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import errors, needs
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.rejections import TOO_BIG


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for item in errors.reported(case, TOO_BIG):
        if item.packets < setting("errors"):
            continue
        mtu = f" It lets {item.mtu:,} bytes through." if item.mtu else ""
        yield item.finding(
            case,
            f"Packets of {case.place(item.source)} to {item.target} are too big for a link on the way",
            f".{mtu} A sender that listens makes its packets smaller after the first; connections that hang with large "
            "answers and work with small ones are the usual symptom.",
        )


RULE = Rule(
    code="NET-PMTU",
    severity="warning",
    title="Packets too big for a link on the way",
    remedy=(
        "Let ICMP type 3 code 4 (ICMPv6 type 2) through to the sender, and do not block it on the sender's firewall; "
        "or lower the MTU or the TCP segment size (MSS clamping) at the VPN or tunnel."
    ),
    source="RFC 1191, RFC 8201 (path MTU discovery), RFC 2923 2.1 (black holes); how many count is ours",
    check=check,
    needs=(needs.PACKETS,),
    settings=(Setting("errors", 5, "errors", "about packets of one host to another, at least"),),
)
