"""A Digifort system's cameras: which streams a server takes from which camera, over time.

In: rows of the table "streams". Out: `camera_streams`, and streams joined by source and receiver. Next: the rules
DGF-CAM-*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from classifier.findings.case import once
from classifier.findings.media import digifort_servers, may_pause

if TYPE_CHECKING:
    from classifier.findings.case import Case

Row = dict[str, Any]


@once
def camera_streams(case: Case) -> list[Row]:
    """Video that Digifort servers take, in order of time: no sound, no metadata, nothing that servers send."""
    servers = digifort_servers(case)
    rows = [
        row
        for row in case.report.rows("streams")
        if row["receiver_address"] in servers and row["sender_address"] not in servers and not may_pause(row)
    ]
    return sorted(rows, key=lambda row: (row["first_ns"], row["flow_id"], row["ssrc"]))


def by_camera(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    """Streams by (camera, server)."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["sender_address"], row["receiver_address"]), []).append(row)
    return found
