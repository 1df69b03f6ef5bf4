"""DGF-CAM-RESTARTS: a camera's stream begins anew again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from classifier.findings import filters, needs
from classifier.findings.cameras import Row, by_camera, camera_streams
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule, Setting
from classifier.units import counted, span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    found = []
    for (camera, server), rows in by_camera(camera_streams(case)).items():
        again, inside = _starts(rows), sum(row["restarts"] for row in rows)
        if again + inside >= setting("restarts"):
            found.append((again + inside, again, inside, camera, server, rows))
    found.sort(key=lambda item: -item[0])
    for total, again, inside, camera, server, rows in found:
        begin, last = min(row["first_ns"] for row in rows), max(row["last_ns"] for row in rows)
        flows = list(dict.fromkeys(row["flow_id"] for row in rows))
        how = []
        if again:
            how.append(f"{counted(again, 'time')} a new stream (another SSRC or port) followed one that had ended")
        if inside:
            how.append(f"{counted(inside, 'time')} the sequence numbers of a stream began anew")
        yield Finding(
            title=f"Camera {case.place(camera)} began anew {total:,} times in {span(last - begin)}",
            summary=(
                f"To {case.place(server)}, from {case.at(begin)} to {case.at(last)}: {' and '.join(how)}. Each time "
                "the server has a gap in live video and recording."
            ),
            flow_ids=flows,
            first_record=case.first_record(flows),
            selection=filters.of_flows(case, flows),
        )


def _starts(rows: list[Row]) -> int:
    """Streams of one kind that began after all others of that kind had ended."""
    kinds: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        kinds.setdefault((row["kind"], row["payload_type"], row["transport"]), []).append(row)
    starts = 0
    for same in kinds.values():
        reach = same[0]["last_ns"]
        for row in same[1:]:
            starts += row["first_ns"] > reach
            reach = max(reach, row["last_ns"])
    return starts


RULE = Rule(
    code="DGF-CAM-RESTARTS",
    severity="warning",
    title="A camera's stream begins anew again and again",
    remedy=(
        "Compare the times with the camera's log (restarts, PoE, encoder errors) and with the server's (time-outs, "
        "wrong password, changed settings); look for packet loss to this camera, and for its limit of connections."
    ),
    source="ours; a new source has a new SSRC, a source that begins anew other numbers (RFC 3550 8, A.1)",
    check=check,
    needs=(needs.DIGIFORT, needs.FOLLOWED, needs.STREAMS),
    settings=(Setting("restarts", 3, "restarts", "of one camera's streams to one server, in the capture"),),
)
