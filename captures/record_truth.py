"""Write `truth/recorded_site.json`: `python captures/record_truth.py [CAPTURE]` (needs tshark).

What the namespaces of `record_site.py` do is known; how many packets that made is counted by tshark, with one display
filter per component. Every packet must match exactly one filter. No part of the classifier is used.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from makers import labels  # noqa: E402
from makers.site import Label  # noqa: E402
from record_site import ANNOUNCE_GROUP, GROUP, INSTANCE, SQL_PORT, address  # noqa: E402

SERVER, REFUSED = address("server"), address("analytics")
FILTERS: tuple[tuple[Label, str], ...] = (
    (labels.SERVER, f"tcp.port == 8600 && ip.addr == {SERVER}"),
    (labels.HTTP_API, f"tcp.port == 8601 && ip.addr == {SERVER}"),
    (labels.WEB, f"tcp.port == 80 && ip.addr == {SERVER}"),
    (labels.MEDIA_INPUT_UNASKED, f"udp.dstport in {{3000..3003}} && ip.dst == {SERVER} && !icmp"),
    (labels.ANNOUNCEMENT, f"udp.dstport == 8650 && ip.dst == {ANNOUNCE_GROUP}"),
    (labels.MULTICAST_MEDIA, f"udp && ip.dst == {GROUP}"),
    (labels.UPNP, "udp.port == 8660 && !icmp"),
    (labels.ANALYTICS, "tcp.port == 8610"),
    (labels.LPR, "tcp.port == 8611"),
    (labels.SQL, f"tcp.port == {SQL_PORT} && ip.addr == {address('database')}"),
    (labels.SQL_DISCOVERY, "udp.port == 1434 && !icmp"),
    (labels.DIAGNOSTICS, "tcp.port == 17772"),
    (labels.VIDEO, "tcp.port == 18772"),
    (labels.AUDIO, "udp.port == 18778 && !icmp"),
    (Label("unclassified.tcp", candidates=("digifort.server",)), f"tcp.port == 8600 && ip.addr == {REFUSED}"),
    (Label("network.arp"), "arp"),
    (Label("network.igmp"), "igmp"),
    (Label("network.icmp"), "icmp"),
    (Label("network.icmpv6"), "icmpv6"),
)
ROLES = {
    "server": (
        "Digifort server",
        "Digifort HTTP API",
        "Digifort web server",
        "Digifort media receiver",
        "Digifort multicast sender",
        "Digifort announcer",
        "Digifort Analytics client",
        "Digifort LPR client",
    ),
    "analytics": ("Digifort Analytics server", "Digifort announcer"),
    "lpr": ("Digifort LPR server", "Digifort announcer"),
    "watch": ("Digifort client",),
    "door": ("Digifort API client", "Digifort web browser"),
    "admin": ("Digifort client", "Digifort Administration Client"),
    "camera1": ("camera", "UPnP device"),
    "camera2": ("camera", "UPnP device"),
    "recorder": ("Digital Sentry server",),
    "database": ("Digital Sentry SQL host",),
    "control": ("DS ControlPoint client", "Digital Sentry SQL client"),
}
FIELDS = (
    "frame.number",
    "frame.len",
    "frame.cap_len",
    "frame.time_epoch",
    "ip.proto",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "tcp.stream",
    "udp.srcport",
    "udp.dstport",
)


def tshark(capture: Path, *options: str, fields: tuple[str, ...]) -> list[dict[str, str]]:
    """Fields of the packets that a display filter selects, first occurrence of each (the outer header)."""
    command = ["tshark", "-n", "-r", str(capture), *options, "-T", "fields", "-E", "occurrence=f", "-E", "separator=/t"]
    for name in fields:
        command += ["-e", name]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [dict(zip(fields, line.split("\t"), strict=True)) for line in lines]


def flow_of(row: dict[str, str]) -> tuple[str, ...] | None:
    """What makes a packet's flow: its TCP stream, or addresses, protocol and UDP ports in either order."""
    if row["tcp.stream"]:
        return "tcp", row["tcp.stream"]
    src, dst = row["ip.src"] or row["ipv6.src"], row["ip.dst"] or row["ipv6.dst"]
    if not src:
        return None
    ends = sorted([f"{src} {row['udp.srcport']}", f"{dst} {row['udp.dstport']}"])
    return row["ip.proto"] or "ipv6", *ends


def nanoseconds(text: str) -> int:
    """Seconds with nine decimals as an integer."""
    seconds, _, rest = text.partition(".")
    return int(seconds) * 10**9 + int(rest.ljust(9, "0"))


def truth_of_recording(capture: Path) -> dict[str, object]:
    """The same document as the makers write, without the list of flows."""
    everything = tshark(capture, fields=FIELDS)
    owners: Counter[str] = Counter()
    components: dict[str, dict[str, object]] = {}
    for label, expression in FILTERS:
        rows = tshark(capture, "-Y", expression, fields=FIELDS)
        owners.update(row["frame.number"] for row in rows)
        if rows:
            flows = {flow_of(row) for row in rows} - {None}
            component: dict[str, object] = {
                "packets": len(rows),
                "wire_bytes": sum(int(row["frame.len"]) for row in rows),
                "flows": len(flows),
            }
            if label.grade:
                component |= {
                    "grades": [label.grade],
                    "grades_with_content": [label.content_grade],
                    "rests_on": sorted(label.rests_on),
                }
            components[label.component] = component
    wrong = [row["frame.number"] for row in everything if owners[row["frame.number"]] != 1]
    if wrong:
        raise SystemExit(f"packets with no owner or several: {wrong[:20]}")
    times = [nanoseconds(row["frame.time_epoch"]) for row in everything]
    return {
        "capture": capture.name,
        "totals": {
            "packets": len(everything),
            "wire_bytes": sum(int(row["frame.len"]) for row in everything),
            "captured_bytes": sum(int(row["frame.cap_len"]) for row in everything),
            "flows": len({flow_of(row) for row in everything} - {None}),
            "first_ns": min(times),
            "last_ns": max(times),
        },
        "components": dict(sorted(components.items())),
        "hosts": {
            address(name): {"name": name, "roles": list(roles), "content_roles": []} for name, roles in ROLES.items()
        },
        "multicast": groups(capture),
        "queriers": sorted(
            {row["ip.src"] for row in tshark(capture, "-Y", "igmp.type == 0x11", fields=("ip.src",)) if row["ip.src"]}
        ),
        "learned": learned(capture),
        "rtp": [],
        "flows": [],
    }


def groups(capture: Path) -> list[dict[str, object]]:
    """UDP sent to IPv4 groups; members are who reported IS_EX or TO_EX (record types 2 and 4) by IGMPv3."""
    fields = ("ip.src", "ip.dst", "udp.dstport", "frame.len")
    rows = tshark(capture, "-Y", "udp && ip.dst >= 224.0.0.0 && ip.dst <= 239.255.255.255", fields=fields)
    reports = tshark(
        capture, "-Y", "igmp.type == 0x22", fields=("ip.src", "igmp.record_type", "igmp.maddr", "frame.number")
    )
    owners = {GROUP: "digifort.multicast_media", ANNOUNCE_GROUP: "digifort.announcement"}
    out: list[dict[str, object]] = []
    for group, port in sorted({(row["ip.dst"], int(row["udp.dstport"])) for row in rows}):
        own = [row for row in rows if row["ip.dst"] == group and int(row["udp.dstport"]) == port]
        joins = {r["ip.src"] for r in reports if r["igmp.maddr"] == group and r["igmp.record_type"] in ("2", "4")}
        out.append(
            {
                "group": group,
                "port": port,
                "senders": sorted({row["ip.src"] for row in own}),
                "members": sorted(joins),
                "component": owners.get(group, "digifort.upnp_discovery"),
                "packets": len(own),
                "wire_bytes": sum(int(row["frame.len"]) for row in own),
            }
        )
    return out


def learned(capture: Path) -> list[dict[str, object]]:
    """The port that the SSRP responder of the recording announces, at its first answer."""
    first = tshark(capture, "-Y", "udp.srcport == 1434 && !icmp", fields=("frame.time_epoch",))[0]
    return [
        {
            "component": "digital_sentry.sql",
            "address": address("database"),
            "port": SQL_PORT,
            "by": "ssrp",
            "instance": INSTANCE,
            "version": "10.50.1600.1",
            "first_ns": nanoseconds(first["frame.time_epoch"]),
        }
    ]


if __name__ == "__main__":
    recording = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "recorded_site.pcap"
    text = json.dumps(truth_of_recording(recording), indent=1) + "\n"
    (HERE / "truth" / "recorded_site.json").write_text(text, encoding="utf-8")
