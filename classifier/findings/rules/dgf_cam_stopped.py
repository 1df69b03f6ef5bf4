"""DGF-CAM-STOPPED: a camera's video to a Digifort server ended, and nobody had asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from classifier.evidence.marks import mark_bit
from classifier.findings import filters, needs
from classifier.findings.cameras import Row, by_camera, camera_streams
from classifier.findings.case import SECOND, Array, Case, listed
from classifier.findings.examine import FINDINGS_OF_A_RULE
from classifier.findings.model import Finding, Rule, Setting
from classifier.flows.table import TCP_STATES
from classifier.units import counted, span

TOGETHER_NS = 2 * SECOND
"""Cameras that end so close to each other have a common cause, most likely (ours)."""
ORDERLY_NS = 5 * SECOND
"""A TEARDOWN, or the end of the RTSP connection, this close to the last packet ended it in order (ours)."""
_FEWEST, _FEWEST_PER_SECOND = 100, 5
_ASKED = 50
"""Cameras of one finding whose connections are looked for."""
_ENDED = [TCP_STATES.index(name) for name in ("closed", "half_closed", "midstream_closed")]


@dataclass(frozen=True, slots=True)
class _Stop:
    camera: str
    server: str
    end_ns: int
    flows: tuple[int, ...]


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    end = case.start_ns + case.duration_ns
    stops = []
    seen: dict[str, _Traffic] = {}
    for (camera, server), rows in by_camera(camera_streams(case)).items():
        last = max(row["last_ns"] for row in rows)
        if end - last < setting("seconds") * SECOND or not any(_is_steady(row) for row in rows):
            continue
        traffic = seen.get(server) or seen.setdefault(server, _Traffic(case, server))
        if traffic.last_ns > last + SECOND and not _in_order(case, camera, server, last, traffic.between(case, camera)):
            stops.append(_Stop(camera, server, last, tuple(dict.fromkeys(row["flow_id"] for row in rows))))
    stops.sort(key=lambda stop: (stop.server, stop.end_ns, stop.camera))
    groups: list[list[_Stop]] = []
    for stop in stops:
        same = groups and groups[-1][-1].server == stop.server
        if same and stop.end_ns - groups[-1][-1].end_ns <= TOGETHER_NS:
            groups[-1].append(stop)
        else:
            groups.append([stop])
    for rank, group in enumerate(sorted(groups, key=len, reverse=True)):
        yield _finding(case, rank, group, end)


def _is_steady(row: Row) -> bool:
    seconds = max((row["last_ns"] - row["first_ns"]) / SECOND, 1.0)
    return bool(row["packets"] >= _FEWEST and row["packets"] >= _FEWEST_PER_SECOND * seconds)


class _Traffic:
    """A server's flows. `last_ns`: it was seen until then, so the capture did not just lose sight of it."""

    def __init__(self, case: Case, server: str) -> None:
        number, orig, resp = case.addresses.find(server), case.addresses.orig, case.addresses.resp
        rows = np.flatnonzero((orig == number) | (resp == number))
        other = np.where(orig[rows] == number, resp[rows], orig[rows])
        order = np.argsort(other, kind="stable")
        self._rows, self._other = rows[order], other[order]
        self.last_ns = int(case.flows.last_ns[rows[case.flows.packets[rows] > 1]].max(initial=0))

    def between(self, case: Case, camera: str) -> Array:
        """Flows with a camera."""
        number = case.addresses.find(camera)
        low, high = np.searchsorted(self._other, [number, number + 1])
        rows: Array = self._rows[low:high]
        return rows


def _in_order(case: Case, camera: str, server: str, last: int, rows: Array) -> bool:
    """Whether a TEARDOWN or the end of the RTSP connection belongs to it."""
    for medium in case.read.media:
        if medium.sender == camera and medium.address == server and medium.flow.ended_ns is not None:
            if abs(medium.flow.ended_ns - last) <= ORDERLY_NS:
                return True
    rtsp = (case.flows.evidence[rows] & mark_bit("rtsp")) != 0
    ended = np.isin(case.flows.tcp_state[rows], _ENDED) & (abs(case.flows.last_ns[rows] - last) <= ORDERLY_NS)
    return bool((rtsp & ended).any())


def _finding(case: Case, rank: int, group: list[_Stop], end: int) -> Finding:
    first = group[0]
    cameras = [case.place(stop.camera) for stop in group]
    when, left = case.at(first.end_ns), span(end - first.end_ns)
    if len(group) == 1:
        title = f"Camera {cameras[0]} stopped sending to {case.place(first.server)} at {when}"
    else:
        title = f"{len(group)} cameras stopped sending to {case.place(first.server)} at once, at {when}"
    known = group[:_ASKED] if rank < FINDINGS_OF_A_RULE else []
    again = [pair for stop in known for pair in case.attempts.pairs(client=stop.server, server=stop.camera)]
    tries = sum(pair.failed for pair in again)
    then = (
        f"The server tried {counted(tries, 'time')} to connect again, in vain."
        if tries
        else "No TEARDOWN and no orderly end of the RTSP connection was captured."
    )
    flows = [flow for stop in group for flow in stop.flows]
    common = (
        " Look for what they share: a switch, its power, an uplink, a group of the server's configuration."
        if len(group) > 1
        else ""
    )
    return Finding(
        title=title,
        summary=(
            f"{listed(cameras)} sent no media in the last {left} of the capture, while the server goes on. {then}"
        ),
        flow_ids=flows,
        first_record=case.first_record(flows),
        selection=filters.of_flows(case, flows),
        remedy=RULE.remedy + common,
    )


RULE = Rule(
    code="DGF-CAM-STOPPED",
    severity="warning",
    title="A camera's video to a Digifort server ended unasked",
    remedy=(
        "Look at the camera: power (PoE), link, restart in its log; ping it. If it runs, look in the Digifort server's "
        "log whether the server ended it."
    ),
    source="ours; the orderly end of a session is RFC 2326 10.7 (TEARDOWN)",
    check=check,
    needs=(needs.DIGIFORT, needs.FOLLOWED, needs.STREAMS),
    settings=(Setting("seconds", 15, "s", "without media, up to the end of the capture"),),
)
