"""DGF-CAM-KEYFRAMES: a camera sends key frames too rarely."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import filters, needs
from classifier.findings.cameras import by_camera, camera_streams
from classifier.findings.case import SECOND, Case
from classifier.findings.model import Finding, Rule, Setting
from classifier.units import counted, span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    found = []
    for (camera, server), rows in by_camera(camera_streams(case)).items():
        rare = sorted(((_apart(row), row) for row in rows), key=lambda pair: -pair[0])
        rare = [(apart, row) for apart, row in rare if apart > setting("seconds")]
        if rare:
            found.append((camera, server, rare))
    for camera, server, rare in sorted(found, key=lambda item: -item[2][0][0]):
        apart, row = rare[0]
        flows = list(dict.fromkeys(row["flow_id"] for _, row in rare))
        lasted = span(row["last_ns"] - row["first_ns"])
        keys = counted(row["key_frames"], "key frame") if row["key_frames"] else "no key frame at all"
        yield Finding(
            title=f"Camera {case.place(camera)} sends key frames too rarely: {_how_rare(row, apart)}",
            summary=(
                f"Its {row['codec']} stream to {case.place(server)} port {row['receiver_port']} shows {keys} among "
                f"{counted(row['frames'], 'picture')} in {lasted}"
                + (f"; {len(rare) - 1:,} more of its streams are like it" if len(rare) > 1 else "")
                + ". Who begins to watch, or lost a packet, sees nothing or a torn picture until the next key frame."
            ),
            flow_ids=flows,
            first_record=case.first_record(flows),
            selection=filters.of_flows(case, flows),
        )


def _apart(row: dict[str, object]) -> float:
    """Seconds from key frame to key frame, at least; 0 where nothing tells."""
    keys, apart = row["key_frames"], row["key_frame_seconds"]
    if not isinstance(keys, int) or (row["loss"] and not keys):  # the one that there was may be lost
        return 0.0
    if isinstance(apart, float):
        return apart
    lasted = (int(str(row["last_ns"])) - int(str(row["first_ns"]))) / SECOND
    return lasted / (keys + 1)


def _how_rare(row: dict[str, object], apart: float) -> str:
    if row["key_frame_seconds"] is not None:
        return f"one in {apart:.0f} s"
    return f"{'one' if row['key_frames'] else 'none'} in {span(int(str(row['last_ns'])) - int(str(row['first_ns'])))}"


RULE = Rule(
    code="DGF-CAM-KEYFRAMES",
    severity="warning",
    title="A camera sends key frames too rarely",
    remedy=(
        "Shorten the camera's key frame interval (GOP, I-frame interval) to one or two seconds, and turn off features "
        "that stretch it by themselves (dynamic GOP, smart codec) for cameras that are watched live."
    ),
    source="ours; key frames by the NAL unit types of RFC 6184 (H.264: 5, 7) and RFC 7798 (H.265: 16-21, 32-34)",
    check=check,
    needs=(needs.DIGIFORT, needs.FOLLOWED, needs.STREAMS),
    settings=(Setting("seconds", 12, "s", "that may pass from one key frame to the next"),),
)
