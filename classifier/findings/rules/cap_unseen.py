"""CAP-UNSEEN: receivers acknowledged TCP data that the capture does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import filters, needs
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule, Setting, Skipped
from classifier.units import counted, percent, size


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    view, tcp = case.vantage, case.read.tcp
    if view.both_directions is False:
        yield Skipped("only one direction of most TCP connections was captured (CAP-ONE-SIDED)")
        return
    both = (case.flows.orig_packets[tcp.flow] > 0) & (case.flows.resp_packets[tcp.flow] > 0)
    unseen = np.where(both, tcp.orig["unseen_bytes"] + tcp.resp["unseen_bytes"], 0)
    total = int(unseen.sum())
    payload = int((case.flows.orig_payload + case.flows.resp_payload)[tcp.flow].sum())
    share = total / (total + payload) if total else 0.0
    if not total or share < setting("share"):
        return
    order = np.argsort(-unseen, kind="stable")
    rows = tcp.flow[order[: int((unseen > 0).sum())]]
    yield Finding(
        title=f"{size(total)} of TCP data arrived and are not in the capture",
        summary=(
            f"In {counted(len(rows), 'connection')}, {percent(share)} of the TCP data: the receivers acknowledged "
            "them, so "
            f"the network did not lose them, the capture did. Most in {case.ends(int(rows[0]))} "
            f"({size(int(unseen[order[0]]))}). Other traffic was lost in the same way: losses of media streams may be "
            "the capture's too."
        ),
        flow_ids=rows.tolist(),
        first_record=case.first_record(rows),
        selection=filters.of_flows(case, rows.tolist()),
    )


RULE = Rule(
    code="CAP-UNSEEN",
    severity="warning",
    title="Data was acknowledged that the capture does not have",
    remedy="A mirror port with less bandwidth than what it mirrors, or a computer too slow to write: mirror fewer "
    "ports, use a "
    "faster port, a larger buffer (dumpcap -B 256) or a shorter snapshot length.",
    source="RFC 9293, 3.4: an acknowledgement covers all data before its number; the threshold is ours",
    check=check,
    needs=(needs.FOLLOWED, needs.TCP_DATA),
    settings=(Setting("share", 0.001, "share", "of the TCP data, from which it is said"),),
)
