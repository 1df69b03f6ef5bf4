"""A hand-made report: what the screens and the command are tested with, without reading a capture."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

S = 1_000_000_000
START = 1_714_724_000 * S  # 2024-05-03 08:13:20 UTC


def capture(path: str = "site.pcapng", **changes: Any) -> SimpleNamespace:
    values: dict[str, Any] = {
        "path": path, "format": "pcapng", "compression": None, "link_types": ["ETHERNET"], "packets": 1000,
        "wire_bytes": 1_000_000, "captured_bytes": 1_000_000, "first_ns": START, "last_ns": START + 600 * S,
        "complete": True, "problems": [], "interfaces": [], "comments": [], "names": {}, "dropped": 0,
        "size": 1_100_000, "variant": "", "hardware": "", "os": "", "application": "",
    }  # fmt: skip
    values.update(changes)
    values.setdefault("problem_count", len(values["problems"]))
    return SimpleNamespace(**values)


def problem(code: str, record: int, offset: int, message: str) -> SimpleNamespace:
    return SimpleNamespace(code=code, record=record, offset=offset, message=message)


def component(
    id: str, name: str, wire: int, *, confirmed: int = 0, probable: int = 0, packets: int = 100
) -> dict[str, Any]:
    product = id.partition(".")[0]
    return {
        "id": id, "product": product, "name": name, "packets": packets, "wire_bytes": wire, "flows": 3, "share": 0.0,
        "mean_bps": wire * 8 / 600, "peak_bps": wire * 8 / 100, "p95_bps": wire * 8 / 200,
        "peak_100ms_bps": wire * 8 / 50, "peak_ns": START,
        "first_ns": START, "last_ns": START + 600 * S,
        "grades": {
            "confirmed": {"flows": int(confirmed > 0), "packets": int(confirmed > 0), "wire_bytes": confirmed},
            "probable": {"flows": int(probable > 0), "packets": int(probable > 0), "wire_bytes": probable},
        },
    }  # fmt: skip


def host(address: str, roles: list[str], sent: int, received: int, products: list[str] | None = None) -> dict[str, Any]:
    return {
        "address": address, "name": "", "roles": roles, "products": products or [],
        "sent_packets": 10, "received_packets": 9,
        "sent_wire_bytes": sent, "received_wire_bytes": received, "flows": 4, "peers": 3,
        "macs": ["02:00:00:00:00:01"], "first_ns": START, "last_ns": START + 600 * S,
    }  # fmt: skip


def stream(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A camera's stream without any fault."""
    return {
        "flow_id": number, "kind": "rtp", "ssrc": f"0x{number:08x}", "sender_address": f"10.20.1.{20 + number}",
        "sender_port": 6970, "receiver_address": "10.20.0.5", "receiver_port": 3000 + 2 * number, "direction": "orig",
        "transport": "udp", "component": "digifort.media_input", "payload_type": 96, "codec": "H264",
        "codec_basis": "sdp", "clock_rate": 90_000, "clock_basis": "sdp", "packets": 3650, "wire_bytes": 4_000_000,
        "payload_bytes": 3_800_000, "mean_bps": 2_410_000.0, "p95_bps": 2_700_000.0, "peak_bps": 3_100_000.0,
        "peak_100ms_bps": 9_900_000.0, "frames": 1500, "frames_per_second": 25.0, "key_frames": 30,
        "key_frame_seconds": 2.0, "expected": 3650, "lost": 0, "loss": 0.0, "duplicates": 0, "reordered": 0,
        "refused": 0, "longest_burst_lost": 0, "restarts": 0, "jitter_ms": 2.3, "max_jitter_ms": 12.5,
        "frame_jitter_ms": 1.1, "max_frame_jitter_ms": 4.0, "longest_silence_s": 0.05, "first_ns": START,
        "last_ns": START + 60 * S, "reports": 0, "reported_lost": None, "reported_loss": None,
        "reported_jitter_ms": None, "sender_reports": 0, "pids": [], "cc_errors": None, "lost_with_others": 0,
        "lost_alone": 0, "worst_loss_ns": None,
    } | changes  # fmt: skip


def lossy(number: int = 0, lost: int = 84, **changes: Any) -> dict[str, Any]:
    """A stream that lost packets."""
    fault = {"lost": lost, "loss": lost / 3650, "lost_alone": lost, "longest_burst_lost": 14, "packets": 3650 - lost}
    return stream(number, **{**fault, "worst_loss_ns": START + 9 * S, **changes})


class FakeReport:
    """Has what the renderers and the command use of `classifier.report.Report`."""

    def __init__(self, captures: list[Any] | None = None, **tables: list[dict[str, Any]]) -> None:
        self.captures = [capture()] if captures is None else captures
        self.unreadable: list[Exception] = []
        self.problems: list[Any] = []
        self.time: dict[str, Any] = {"bin_width_ns": S // 10, "timeline_bin_ns": S, "link": None}
        self.vantage: dict[str, Any] = {"sentence": "Vantage point unknown."}
        self._tables = tables
        components = tables.get("components", [])
        wire = sum(row["wire_bytes"] for row in components)
        for row in components:
            row["share"] = row["wire_bytes"] / wire if wire else 0.0
        self.totals = {
            "packets": sum(row["packets"] for row in components), "wire_bytes": wire, "captured_bytes": wire,
            "ip_bytes": wire, "flows": sum(row["flows"] for row in components),
            "first_ns": START if components else None, "last_ns": START + 600 * S if components else None,
            "duration_ns": 600 * S if components else 0,
        }  # fmt: skip

    @property
    def complete(self) -> bool:
        return all(info.complete for info in self.captures)

    def rows(self, section: str) -> list[dict[str, Any]]:
        return self._tables.get(section, [])

    def signature_stub(self) -> str:
        return ""

    def product_name(self, product: str) -> str:
        return product.title()

    def limits(self) -> list[dict[str, Any]]:
        return []

    def trend(self, component_id: str, points: int) -> list[float]:
        seed = sum(component_id.encode())
        return [float((seed * (i + 3)) % 17) for i in range(points)]

    def to_dict(self, sections: tuple[str, ...] = ()) -> dict[str, Any]:
        document: dict[str, Any] = {"schema_version": 1, "totals": self.totals}
        document["components"] = self.rows("components")
        document.update({section: self.rows(section) for section in sections})
        return document


DIGIFORT = [
    ("server", "Digifort Server", 520_000_000, "confirmed"),
    ("media_input", "Media input from cameras", 480_000_000, "probable"),
    ("multicast_media", "Multicast media", 120_000_000, "mixed"),
    ("http_api", "HTTP API and mobile app", 20_000_000, "confirmed"),
    ("web", "Web server", 3_000_000, "probable"),
    ("analytics", "Analytics server", 900_000, "probable"),
    ("lpr", "LPR server", 500_000, "probable"),
    ("announcement", "Services announcement", 12_000, "probable"),
    ("upnp_discovery", "UPnP camera discovery", 9_000, "probable"),
    ("rtsp", "RTSP server", 4_000, "confirmed"),
]
SENTRY = [
    ("video", "Video to clients", 90_000_000, "probable"),
    ("sql", "SQL Server", 8_000_000, "confirmed"),
    ("audio", "Audio", 700_000, "probable"),
    ("mobile", "Mobile", 300_000, "probable"),
    ("diagnostics", "Diagnostics", 20_000, "probable"),
    ("sql_discovery", "SQL discovery (SSRP)", 900, "confirmed"),
]
OTHER = [("https", "HTTPS"), ("dns", "DNS"), ("smb", "SMB"), ("ntp", "NTP"), ("rdp", "RDP"), ("ssh", "SSH"),
         ("snmp", "SNMP"), ("dhcp", "DHCP"), ("mdns", "mDNS"), ("llmnr", "LLMNR"), ("netbios", "NetBIOS")]  # fmt: skip


def _graded(id: str, name: str, wire: int, grade: str) -> dict[str, Any]:
    if grade == "mixed":
        return component(id, name, wire, confirmed=wire * 9 // 10, probable=wire // 10)
    return component(id, name, wire, **{grade: wire})


def full_site(**changes: Any) -> FakeReport:
    """Everything at once: both products in every component, many hosts, trouble in the file."""
    components = [_graded(f"digifort.{i}", n, w, g) for i, n, w, g in DIGIFORT]
    components += [_graded(f"digital_sentry.{i}", n, w, g) for i, n, w, g in SENTRY]
    components += [component(f"other.{i}", n, 30_000_000 >> k) for k, (i, n) in enumerate(OTHER)]
    components += [component("network.arp", "ARP", 60_000), component("network.icmp", "ICMP", 30_000)]
    components += [component("network.igmp", "IGMP", 6_000), component("network.stp", "STP", 3_000)]
    components += [component("unclassified.tcp", "TCP", 2_000_000), component("unclassified.udp", "UDP", 300_000)]
    hosts = [
        host("10.20.0.5", ["Digifort server", "SQL host"], 600_000_000, 500_000_000, ["digifort"]),
        host("10.20.0.6", ["Digifort server"], 60_000_000, 50_000_000, ["digifort"]),
        host("10.20.0.9", ["Digital Sentry server"], 90_000_000, 1_000_000, ["digital_sentry"]),
        *(host(f"10.20.1.{n}", ["camera"], 20_000_000 - n, 30_000, ["digifort"]) for n in range(20, 44)),
        host("10.20.2.7", ["Digifort client"], 100_000, 300_000_000, ["digifort"]),
        host("10.20.2.8", ["ControlPoint client"], 100_000, 30_000_000, ["digital_sentry"]),
        *(host(f"10.20.3.{n}", [], 9_000 - n, 7_000) for n in range(1, 31)),
        host("2001:db8:10:20::53", [], 400_000, 90_000),
    ]
    unclassified = [
        {"protocol": "tcp", "address": f"10.20.3.{n}", "port": 4440 + n, "packets": 40, "wire_bytes": 900_000 >> n,
         "flows": 2, "share": 0.0007 / (n + 1), "hint": "speaks TLS" if n == 0 else ""}
        for n in range(6)
    ]  # fmt: skip
    tables: dict[str, Any] = {
        "components": components,
        "hosts": hosts,
        "unclassified": unclassified,
        "candidates": [
            {"component": "digifort.web", "flow_id": 7 + n, "reason": "port 80 at a host without a Digifort role"}
            for n in range(12)
        ],
        "learned": [
            {"component": "digital_sentry.sql", "address": "10.20.0.5", "port": 50492, "by": "ssrp",
             "instance": "DSSQL", "version": "9.00.5000.00", "first_ns": START}
        ],
        "multicast": [
            {"group": "225.5.10.1", "port": 1025 + n, "protocol": "udp", "component": "digifort.multicast_media",
             "senders": ["10.20.0.5"], "members": ["10.20.2.7"], "packets": 9000, "wire_bytes": 12_000_000,
             "mean_bps": 160_000.0, "ttl": 1, "first_ns": START, "last_ns": START + 600 * S, "sender_ttls": [1],
             "peak_bps": 250_000.0, "left": [], "joins": 5, "leaves": 0, "first_join_ns": START + 3 * S,
             "last_join_ns": START + 503 * S, "first_leave_ns": None, "last_leave_ns": None,
             "queriers": ["10.20.0.1"], "querier_version": "IGMPv3", "streams": 1}
            for n in range(4)
        ],
        "findings": [],
        "protocols": [{"protocol": "tcp", "packets": 1000, "wire_bytes": 900_000, "flows": 12, "share": 0.9}],
        "flows": [
            {"flow_id": 0, "protocol": "tcp", "orig_address": "10.20.2.7", "orig_port": 51000,
             "resp_address": "10.20.0.5", "resp_port": 8600, "vlan": None, "encapsulation": "", "first_ns": START,
             "last_ns": START + 9 * S, "orig_packets": 90, "resp_packets": 800, "orig_wire_bytes": 9_000,
             "resp_wire_bytes": 1_100_000, "orig_payload_bytes": 3_000, "resp_payload_bytes": 1_000_000,
             "tcp_state": "established", "component": "digifort.server", "grade": "confirmed",
             "evidence": ["port:tcp/8600", "role:listener"], "candidates": [], "direction_basis": "syn",
             "orig_ip_bytes": 8_000, "resp_ip_bytes": 1_080_000, "capture": 0, "first_record": 1, "name": ""}
        ],
    }  # fmt: skip
    captures = [
        capture(
            complete=False,
            problems=[problem("truncated", 1_204_333, 987_654_321, "the file ends inside this record")],
        )
    ]
    tables.update(changes)
    captures = tables.pop("captures", captures)
    return FakeReport(captures, **tables)


def neighbours_only(**changes: Any) -> FakeReport:
    """No VMS anywhere."""
    components = [component(f"other.{i}", n, 30_000_000 >> k) for k, (i, n) in enumerate(OTHER)]
    components += [component("network.arp", "ARP", 60_000), component("unclassified.udp", "UDP", 300_000)]
    tables: dict[str, Any] = {"components": components, "hosts": [host("192.0.2.1", [], 9_000_000, 7_000)]}
    tables.update(changes)
    captures = tables.pop("captures", None)
    return FakeReport(captures, **tables)
