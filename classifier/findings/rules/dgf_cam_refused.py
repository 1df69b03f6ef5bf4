"""DGF-CAM-REFUSED: a camera answers the Digifort server's RTSP requests with an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.evidence.collect import Replied
from classifier.findings import filters, needs
from classifier.findings.case import Case
from classifier.findings.media import digifort_servers
from classifier.findings.model import Finding, Rule, Setting
from classifier.units import counted

_LOGIN = 401
# Others (400, 405, 454, 501, 551) also answer requests that keep a session alive, while its video goes on.
_MEANING = {
    401: (
        "user or password is wrong",
        "Correct the camera's user name and password in Digifort, or the camera's account.",
    ),
    403: ("forbidden", "Look at the rights of the camera's account, and at address filters of the camera."),
    404: ("no such stream", "Correct the URL or media profile in Digifort: the camera has no stream of this name."),
    453: ("not enough bandwidth", "The camera gives no further stream: close other readers, or lower its bit rates."),
    461: ("unsupported transport", "The camera does not deliver in this way: change between UDP and TCP in Digifort."),
    503: (
        "service unavailable",
        "The camera's limit of connections is reached, or it is overloaded: close other readers.",
    ),
}


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    servers = [case.addresses.find(address) for address in digifort_servers(case)]
    flows = case.facts.flow_of_row
    by_flow: dict[int, list[Replied]] = {}
    for item in case.read.replied:
        flow = int(flows[item.row]) if item.row < len(flows) else -1
        if flow >= 0:
            by_flow.setdefault(flow, []).append(item)
    pairs: dict[tuple[int, int], list[tuple[int, list[Replied]]]] = {}
    tried: dict[tuple[int, int], int] = {}
    mine = np.isin(case.addresses.orig, servers)
    for flow, replies in by_flow.items():
        if mine[flow]:
            pair = int(case.addresses.orig[flow]), int(case.addresses.resp[flow])
            tried[pair] = tried.get(pair, 0) + 1
            if replies[-1].status in _MEANING:
                pairs.setdefault(pair, []).append((flow, replies))
    found = [(pair, refused) for pair, refused in pairs.items() if _sure(refused, setting)]
    found.sort(key=lambda item: (-len(item[1]), item[0]))
    for pair, refused in found:
        yield _finding(case, pair, refused, tried[pair])


def _sure(refused: list[tuple[int, list[Replied]]], setting: Callable[[str], float]) -> bool:
    """A first 401 only asks for a password; the second refuses the one that was given."""
    if any(replies[-1].status != _LOGIN for _, replies in refused):
        return True
    twice = any(sum(item.status == _LOGIN for item in replies) > 1 for _, replies in refused)
    return twice or len(refused) >= setting("connections")


def _finding(case: Case, pair: tuple[int, int], refused: list[tuple[int, list[Replied]]], tried: int) -> Finding:
    server, camera = (case.place(case.addresses.text(number)) for number in pair)
    last = [replies[-1] for _, replies in refused]
    statuses = [item.status for item in last]
    most = max(sorted(set(statuses)), key=statuses.count)
    meaning, remedy = _MEANING[most]
    counts = [f"{counted(statuses.count(status), 'time')} {status}" for status in sorted(set(statuses))]
    flows = [flow for flow, _ in refused]
    first = min(last, key=lambda item: item.ts_ns)
    return Finding(
        title=f"Camera {camera} refuses {server}: RTSP {most} ({meaning})",
        summary=(
            f"{counted(len(refused), 'RTSP connection')} of {tried:,} that the Digifort server made came to nothing, "
            f"by their last reply: {', '.join(counts)}; the first at {case.at(first.ts_ns)}."
        ),
        flow_ids=flows,
        first_record=first.record,
        selection=filters.of_flows(case, flows),
        remedy=remedy,
    )


RULE = Rule(
    code="DGF-CAM-REFUSED",
    severity="error",
    title="A camera answers the Digifort server's RTSP requests with an error",
    remedy="Look up the status in the camera's log, and compare the camera's settings in Digifort.",
    source="ours; statuses by RFC 2326 7.1.1 and 11; a first 401 is only the question for a password (RFC 7616 3.3)",
    check=check,
    needs=(needs.DIGIFORT,),
    settings=(
        Setting(
            "connections", 3, "connections", "that end with the question for a password, until it counts as refused"
        ),
    ),
)
