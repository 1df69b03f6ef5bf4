"""Hand-made passes: what a report is tested with, without reading a capture."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from classifier.capture.model import CaptureInfo
from classifier.columns import BIN, NO_VLAN
from classifier.decode.protocols import LINK_CODES, component_of_link
from classifier.engine import Pass
from classifier.evidence.proofs import NO_PROOFS
from classifier.evidence.reports import Reports
from classifier.flows.table import DIRECTION_BASES, TCP_STATES, FlowTable, LinkTable, address_texts, address_words
from classifier.report import Report

S = 1_000_000_000
WIDTH = S // 10  # of time bins
START = 1_714_724_000 * S + 250_000_000

SERVER, CLIENT, CAMERA, OTHER = "10.0.0.1", "10.0.0.50", "10.0.0.20", "192.168.7.9"

PROTOCOLS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "icmpv6": 58}


@dataclass
class Flow:
    """A flow, its label, and its packets in time: `(seconds after START, wire bytes, from the originator)`."""

    orig: str
    resp: str
    component: str
    packets: list[tuple[float, int, bool]]
    proto: str = "tcp"
    orig_port: int = 50_000
    resp_port: int = 80
    grade: int = 0
    state: str = ""
    basis: str = "first_packet"
    vlan: int = NO_VLAN
    encap: int = 0
    orig_mac: int = 0
    resp_mac: int = 0
    ttl: int = 64
    evidence: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    unresolved: bool = False


@dataclass
class Frames:
    """Frames without IP."""

    name: str
    packets: list[tuple[float, int]]


class Signatures:
    """The part of a SignatureSet that a report uses."""

    names: ClassVar = {
        "digifort.server": "Digifort Server",
        "digifort.multicast_media": "Multicast media",
        "acme.core": "Core",
    }

    def product_of(self, component_id: str) -> str:
        return component_id.partition(".")[0]

    products = ()
    hosts = ()
    signatures = ()
    services = ()

    def get(self, component_id: str) -> Any:
        return SimpleNamespace(otherwise="mssql") if component_id == "digital_sentry.sql" else None

    def name_of(self, component_id: str) -> str:
        return self.names.get(component_id, component_id)


class Candidates(list[tuple[str, int, str]]):
    """The part of an Attribution's candidates that a report uses."""

    def __init__(self, owners: list[str], rows: Any) -> None:
        super().__init__(sorted(rows, key=lambda row: (row[1], row[0])))
        self.component = np.array([owners.index(row[0]) for row in self], "i2")
        self.flow = np.array([row[1] for row in self], "i4")

    def of_flow(self, flow_id: int) -> list[tuple[str, int, str]]:
        return [row for row in self if row[1] == flow_id]


def a_pass(
    flows: list[Flow], frames: list[Frames] = (), candidates: list[tuple[str, int, str]] = (), **changes: Any
) -> tuple[Any, Any]:  # type: ignore[assignment]
    """`(pass, labels)` of hand-made flows and frames."""
    flows = sorted(flows, key=lambda f: min(t for t, _, _ in f.packets))
    n = len(flows)
    columns: dict[str, Any] = {
        f.name: np.zeros(n, "i8") for f in dataclasses.fields(FlowTable) if f.name not in ("orig_addr", "resp_addr")
    }
    columns["orig_addr"] = np.zeros((n, 4), "u4")
    columns["resp_addr"] = np.zeros((n, 4), "u4")
    bins: dict[tuple[int, int], list[int]] = {}

    def count(row: int, at: int, wire: int, from_orig: bool) -> None:
        cell = bins.setdefault((row, at // WIDTH * WIDTH), [0, 0, 0])
        cell[0 if from_orig else 1] += wire
        cell[2] += 1

    for i, flow in enumerate(flows):
        row = n - 1 - i  # tally rows are in another order than flow ids
        version, words = address_words(flow.orig)
        values = {
            "version": version, "proto": PROTOCOLS[flow.proto], "orig_port": flow.orig_port,
            "resp_port": flow.resp_port, "direction_basis": DIRECTION_BASES.index(flow.basis),
            "tcp_state": TCP_STATES.index(flow.state), "vlan": flow.vlan, "encap": flow.encap,
            "orig_mac": flow.orig_mac, "resp_mac": flow.resp_mac, "orig_ttl": flow.ttl, "resp_ttl": 0,
            "unresolved": flow.unresolved, "first_record": i + 1, "row": row,
        }  # fmt: skip
        for name, value in values.items():
            columns[name][i] = value
        columns["orig_addr"][i] = words
        columns["resp_addr"][i] = address_words(flow.resp)[1]
        times = [START + round(t * S) for t, _, _ in flow.packets]
        columns["first_ns"][i], columns["last_ns"][i] = min(times), max(times)
        for at, (_, wire, from_orig) in zip(times, flow.packets, strict=True):
            side = "orig" if from_orig else "resp"
            columns[f"{side}_packets"][i] += 1
            columns[f"{side}_wire"][i] += wire
            columns[f"{side}_ip"][i] += max(0, wire - 14)
            columns[f"{side}_payload"][i] += max(0, wire - 54)
            columns["captured"][i] += wire
            count(row, at, wire, from_orig)
    for name in ("vlan", "orig_port", "resp_port", "row", "capture", "proto"):
        columns[name] = columns[name].astype("i4")
    columns["version"] = columns["version"].astype("u1")
    columns["unresolved"] = columns["unresolved"].astype(bool)

    m = len(frames)
    links = {f.name: np.zeros(m, "i8") for f in dataclasses.fields(LinkTable)}
    for i, frame in enumerate(frames):
        times = [START + round(t * S) for t, _ in frame.packets]
        links["code"][i] = LINK_CODES[frame.name]
        links["packets"][i] = len(times)
        links["wire"][i] = links["captured"][i] = sum(w for _, w in frame.packets)
        links["first_ns"][i], links["last_ns"][i] = min(times), max(times)
        links["row"][i] = n + i
        for at, (_, wire) in zip(times, frame.packets, strict=True):
            count(n + i, at, wire, True)

    rows = np.zeros(len(bins), BIN)
    for k, ((row, start), (a, b, packets)) in enumerate(sorted(bins.items())):
        rows[k] = (start, a, b, packets, row)
    owners = sorted(
        {f.component for f in flows}
        | {name for name, _, _ in candidates}
        | {component_of_link(int(c)) for c in links["code"]}
        | {"acme.unused"}
    )
    all_times = [*columns["first_ns"], *links["first_ns"]], [*columns["last_ns"], *links["last_ns"]]
    packets = int(sum(len(f.packets) for f in flows) + links["packets"].sum())
    wire = int(sum(w for f in flows for _, w, _ in f.packets) + links["wire"].sum())
    info = CaptureInfo(
        path="site.pcap", format="pcap", link_types=["ETHERNET"], packets=packets, wire_bytes=wire,
        captured_bytes=wire, first_ns=int(min(all_times[0])) if packets else None,
        last_ns=int(max(all_times[1])) if packets else None,
    )  # fmt: skip
    read = Pass(
        captures=[info], flows=FlowTable(**columns), links=LinkTable(**links), bins=rows, bin_width_ns=WIDTH,
        reports=Reports(0), sources=["site.pcap"],
    )  # fmt: skip
    labels = SimpleNamespace(
        components=tuple(owners),
        component=np.array([owners.index(f.component) for f in flows], "i2"),
        grade=np.array([f.grade for f in flows], "u1"),
        link_component=np.array([owners.index(component_of_link(int(c))) for c in links["code"]], "i2"),
        candidates=Candidates(owners, candidates),
        roles={},
        roles_left_out=0,
        have_roles=lambda words, version: np.array(
            [text in labels.roles for text in address_texts(words, version)], bool
        ),
        evidence=lambda i: flows[i].evidence,
        evidence_lists=lambda: [flow.evidence for flow in flows],
        learned=(),
        reasons=lambda i: flows[i].reasons,
        statements=lambda i: [("", reason, None) for reason in flows[i].reasons],
        against=lambda i: [],
        doubtful=lambda rows: np.zeros(len(rows), bool),
        own_side=lambda rows: np.zeros(len(rows), "i1"),
        listening_end=lambda rows: np.zeros(len(rows), "i1"),
        proofs=NO_PROOFS,
        disputes=(),
    )
    for name, value in changes.items():
        setattr(labels if hasattr(labels, name) else read, name, value)
    return read, labels


def a_report(flows: list[Flow], frames: list[Frames] = (), **changes: Any) -> Report:  # type: ignore[assignment]
    """A report of hand-made flows and frames."""
    read, labels = a_pass(flows, frames, **changes)
    return Report(read, Signatures(), labels)  # type: ignore[arg-type]


def membership(group: str, host: str, kind: str = "join", at: float = 0.0) -> SimpleNamespace:
    return SimpleNamespace(
        group=group, host=host, kind=kind, version=2, ts_ns=START + round(at * S), capture=0, record=1
    )


def site() -> Report:
    """A small Digifort site: a client, a camera stream to the group, a web page, a scan, ARP, an undecodable frame."""
    flows = [
        Flow(
            CLIENT, SERVER, "digifort.server",
            [(0.0, 74, True), (0.1, 1000, False), (4.0, 60, True)],
            resp_port=8600, grade=1, state="established", basis="syn", vlan=12,
            orig_mac=0x020000000050, resp_mac=0x020000000001,
            evidence=["port:tcp/8600", "role:listener"], reasons=["tcp port 8600, the responder listens"],
        ),
        Flow(
            SERVER, "225.5.10.1", "digifort.multicast_media",
            [(i / 2, 1200, True) for i in range(8)],
            proto="udp", orig_port=1030, resp_port=1025, grade=1, basis="group", ttl=32, orig_mac=0x020000000001,
        ),
        Flow(CLIENT, OTHER, "other.http", [(1.0, 500, True), (1.5, 1500, False)], state="closed", basis="syn"),
        Flow(OTHER, CAMERA, "unclassified.tcp", [(2.0, 60, True)], resp_port=80, state="attempt", basis="syn"),
        Flow("fd00::1", "fd00::2", "network.icmpv6", [(3.0, 118, True), (3.1, 118, False)], proto="icmpv6",
             orig_port=0, resp_port=0, encap=8),
    ]  # fmt: skip
    frames = [Frames("arp", [(0.5, 60), (4.0, 60)]), Frames("link", [(2.5, 300)])]
    return a_report(
        flows,
        frames,
        roles={SERVER: ["Digifort server"], CLIENT: ["Digifort client"]},
        candidates=[("digifort.web", 3, "port 80 of a host that is no Digifort server")],
        memberships=[membership("225.5.10.1", CLIENT), membership("239.1.2.3", CLIENT, at=2)],
        learned=[
            SimpleNamespace(
                component="digital_sentry.sql", address=OTHER, port=50492, transport="tcp", by="ssrp", instance="DSSQL",
                version="9.0", first_ns=START, capture=0, record=3,
            )
        ],
    )  # fmt: skip
