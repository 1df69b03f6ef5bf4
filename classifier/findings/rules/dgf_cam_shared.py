"""DGF-CAM-SHARED: one camera is read by two Digifort servers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import filters, needs
from classifier.findings.cameras import Row, by_camera, camera_streams
from classifier.findings.case import SECOND, Case, listed, sorted_addresses
from classifier.findings.model import Finding, Rule, Setting
from classifier.units import rate, span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    servers: dict[str, list[str]] = {}
    groups = by_camera(camera_streams(case))
    for camera, server in groups:
        servers.setdefault(camera, []).append(server)
    found = []
    for camera, readers in servers.items():
        spans = [_span(groups[camera, server]) for server in readers]
        both = max((_overlap(a, b) for k, a in enumerate(spans) for b in spans[k + 1 :]), default=0)
        if both > setting("seconds") * SECOND:
            found.append((camera, sorted_addresses(readers), both))
    for camera, readers, both in found:
        rows = [row for server in readers for row in groups[camera, server]]
        flows = list(dict.fromkeys(row["flow_id"] for row in rows))
        yield Finding(
            title=f"Camera {case.place(camera)} is read by {len(readers)} Digifort servers at once",
            summary=(
                f"{listed([case.place(server) for server in readers])} took its media at the same time, for "
                f"{span(both)} at least: {len(rows)} streams, {rate(sum(row['mean_bps'] for row in rows))} in all. "
                "That is meant in failover pairs; otherwise the camera was registered twice, and its processor and its "
                "limit of connections pay for it."
            ),
            flow_ids=flows,
            first_record=case.first_record(flows),
            selection=filters.of_flows(case, flows),
        )


def _span(rows: list[Row]) -> tuple[int, int]:
    return min(row["first_ns"] for row in rows), max(row["last_ns"] for row in rows)


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> int:
    return min(one[1], other[1]) - max(one[0], other[0])


RULE = Rule(
    code="DGF-CAM-SHARED",
    severity="info",
    title="A camera is read by two Digifort servers at once",
    remedy="Unless it is meant, remove the camera from one server, or let that server take it from the other one.",
    source="ours",
    check=check,
    needs=(needs.DIGIFORT, needs.FOLLOWED, needs.STREAMS),
    settings=(Setting("seconds", 5, "s", "that both must have taken media together"),),
)
