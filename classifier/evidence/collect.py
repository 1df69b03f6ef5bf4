"""From candidate payloads to facts.

In: the CANDIDATE rows of a batch, its PACKET rows and buffers. Out: `proofs` (what a payload shows of its flow),
`memberships` (who joined which group), `announced` (which port an SSRP reply names), `searched` (SSDP), `replied`
(RTSP), `quoted` (what ICMP errors could not deliver) and `sessions` (RTSP), capped together. Next: the engine,
`proofs.judge`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.columns import NO_VLAN
from classifier.evidence.digifort import component_of, parse_frame
from classifier.evidence.http import http_facts
from classifier.evidence.icmp import Quoted, parse_quoted
from classifier.evidence.membership import NO_TIMERS, Timers, parse_igmp, parse_mld
from classifier.evidence.message import Message, parse_head
from classifier.evidence.proofs import Proof
from classifier.evidence.reports import Reports
from classifier.evidence.rtcp import parse_rtcp
from classifier.evidence.sessions import Sessions
from classifier.evidence.ssdp import parse_ssdp
from classifier.evidence.ssrp import parse_reply, parse_request
from classifier.evidence.tds import parse_prelogin
from classifier.evidence.tls import parse_client_hello
from classifier.evidence.wsd import parse_wsd
from classifier.flows import state as st
from classifier.flows.table import address_text
from classifier.limits import Limits

Array = npt.NDArray[Any]

_ICMP_HEADER = 8
_WITH_HEADER = (st.KIND_IGMP, st.KIND_MLD, st.KIND_QUOTED)
_FRAMES = {
    "digifort.server": "digifort_login",
    "digifort.analytics": "digifort_analytics",
    "digifort.lpr": "digifort_lpr",
}
_HTTP_MARKS = {
    "digifort_api": "digifort_interface_path",
    "digifort_realm": "digifort_http_realm",
    "other_banner": "http_other_server",
    "mjpeg": "mjpeg",
    "onvif": "onvif",
}


@dataclass(frozen=True, slots=True)
class Membership:
    """A host joined, left or asked for a group. `group`: "" in a general query; `record`: from 1."""

    group: str
    host: str
    kind: str  # "join", "leave", "query"
    version: int  # of IGMP or MLD
    ts_ns: int
    capture: int
    record: int
    vlan: int = NO_VLAN
    mac: int = 0  # that it came from
    timers: Timers = NO_TIMERS  # of a query


@dataclass(frozen=True, slots=True)
class Announced:
    """An SSRP reply: a SQL Server instance and the TCP port it listens on (0: none usable).

    `cut`: the capture does not hold the reply's end and may lack the port with it.
    """

    address: str  # the reply came from here
    asker: str  # and went to
    asker_port: int
    port: int
    cut: bool
    instance: str
    server: str
    version: str
    ts_ns: int
    capture: int
    record: int


@dataclass(frozen=True, slots=True)
class Replied:
    """The status of an RTSP reply. `row`: of the connection in the tally."""

    row: int
    status: int
    ts_ns: int
    capture: int
    record: int


@dataclass(frozen=True, slots=True)
class Searched:
    """An SSDP search. `wait`: MX in seconds, within which devices answer; -1 when not said."""

    address: str
    port: int  # it came from, so the answers go there
    wait: int
    ts_ns: int
    capture: int
    record: int


@dataclass(slots=True)
class IcmpError:
    """ICMP errors of one kind about one packet (`quoted`), from one sender to one receiver; `record`: the first's."""

    sender: str
    receiver: str
    version: int  # 4: ICMP, 6: ICMPv6
    icmp_type: int
    icmp_code: int
    quoted: Quoted
    packets: int
    first_ns: int
    last_ns: int
    capture: int
    record: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """One candidate: its packet, and which side of which tally row sent it."""

    packet: Any
    row: int
    side: int

    def proof(self, code: str, detail: str = "") -> Proof:
        packet = self.packet
        times = int(packet["ts_ns"]), int(packet["capture"]), int(packet["record"])
        return Proof(code, self.row, self.side, *times, detail)

    def address(self, end: str) -> str:
        """Of the sender ("src") or the receiver ("dst")."""
        return address_text([self.packet[f"{end}{k}"] for k in range(4)], int(self.packet["version"]))


class Collector:
    """Facts of one pass, in reading order.

    `max_facts`: no further payload is looked at when there are that many (one payload can add some hundreds).
    `dropped`: payloads that were not looked at.
    """

    def __init__(self, max_facts: int = Limits.facts) -> None:
        self.max_facts = max_facts
        self.memberships: list[Membership] = []
        self.announced: list[Announced] = []
        self.searched: list[Searched] = []
        self.replied: list[Replied] = []
        self.proofs: list[Proof] = []
        self.sessions = Sessions()
        self.reports = Reports(max_facts)
        self._quoted: dict[tuple[Any, ...], IcmpError] = {}
        self._dropped = 0
        self._asked: dict[int, bool] = {}  # per HTTP connection: whether the last request was for the Digifort API
        self._parsers: dict[int, Callable[[_Seen, bytes], None]] = {
            st.KIND_SSRP: self._ssrp_reply,
            st.KIND_ASKED: self._ssrp_request,
            st.KIND_IGMP: self._igmp,
            st.KIND_MLD: self._mld,
            st.KIND_QUOTED: self._error,
            st.KIND_FRAME: self._frame,
            st.KIND_TEXT: self._text,
            st.KIND_STREAM: self._stream,
            st.KIND_TDS: self._tds,
            st.KIND_TLS: self._tls,
            st.KIND_HTTPU: self._httpu,
            st.KIND_SOAP: self._soap,
            st.KIND_REPORT: self._report,
        }

    @property
    def dropped(self) -> int:
        """Payloads beyond a bound."""
        return self._dropped + self.sessions.dropped + self.reports.dropped

    @property
    def quoted(self) -> list[IcmpError]:
        """ICMP errors in order of the first of each kind."""
        return list(self._quoted.values())

    def take(self, candidates: Array, packets: Array, buffers: Sequence[tuple[Any, Array]]) -> None:
        """Look at a batch's candidates. `buffers`: per part of the batch its buffer and the rows that lie in it."""
        for candidate in candidates:
            known = len(self.memberships) + len(self.announced) + len(self.proofs) + len(self._quoted)
            if known >= self.max_facts:
                self._dropped += 1
                continue
            index = int(candidate["packet"])
            seen = _Seen(packets[index], int(candidate["flow"]), int(candidate["side"]))
            kind = int(candidate["kind"])
            before = _ICMP_HEADER if kind in _WITH_HEADER else 0
            self._parsers[kind](seen, _payload(seen.packet, buffer_of(index, buffers), before))

    def take_reports(self, reports: Array, data: Any, packets: Array) -> None:
        """RTCP packets inside RTSP connections: FOUND_RTCP rows (`flows.framing_table`) and the bytes they lie in."""
        for report in reports:
            seen = _Seen(packets[int(report["packet"])], int(report["where"]) >> 1, int(report["where"]) & 1)
            start, length = int(report["start"]), int(report["length"])
            said = parse_rtcp(bytes(data[start : start + length]), length)
            if said is not None:
                self.reports.add(said, seen.address("src"), seen.address("dst"))

    def _igmp(self, seen: _Seen, payload: bytes) -> None:
        if not seen.packet["stop"]:
            self._membership(seen, parse_igmp(payload))

    def _mld(self, seen: _Seen, payload: bytes) -> None:
        if not seen.packet["stop"]:
            self._membership(seen, parse_mld(payload))

    def _membership(self, seen: _Seen, reports: Sequence[Any]) -> None:
        packet, host = seen.packet, seen.address("src")
        times = int(packet["ts_ns"]), int(packet["capture"]), int(packet["record"])
        link = int(packet["vlan"]), int(packet["src_mac"])
        for said in reports:
            self.memberships.append(Membership(said.group, host, said.kind, said.version, *times, *link, said.timers))

    def _error(self, seen: _Seen, message: bytes) -> None:
        packet = seen.packet
        version = int(packet["version"])
        quoted = None if packet["stop"] else parse_quoted(message, version)
        if quoted is None:
            return
        sender, receiver = seen.address("src"), seen.address("dst")
        icmp_type, icmp_code, ts_ns = int(packet["icmp_type"]), int(packet["icmp_code"]), int(packet["ts_ns"])
        key = (sender, receiver, icmp_type, icmp_code, quoted)
        known = self._quoted.get(key)
        if known is None:
            capture, record = int(packet["capture"]), int(packet["record"])
            self._quoted[key] = IcmpError(
                sender, receiver, version, icmp_type, icmp_code, quoted, 1, ts_ns, ts_ns, capture, record
            )
        else:
            known.packets += 1
            known.first_ns, known.last_ns = min(known.first_ns, ts_ns), max(known.last_ns, ts_ns)

    def _ssrp_request(self, seen: _Seen, payload: bytes) -> None:
        request = parse_request(payload)
        usable = request is not None and not request.malformed and not request.over_long
        self.proofs.append(
            seen.proof("ssrp_request", request.instance) if usable and request else seen.proof("not_ssrp")
        )

    def _ssrp_reply(self, seen: _Seen, payload: bytes) -> None:
        reply = parse_reply(payload)
        if reply is None:  # a client may ask from this port too
            self._ssrp_request(seen, payload)
            return
        names = [item.instance for item in reply.instances]
        self.proofs.append(seen.proof("ssrp_reply", ", ".join(names[:4])))
        packet = seen.packet
        times = int(packet["ts_ns"]), int(packet["capture"]), int(packet["record"])
        source, asker, asker_port = seen.address("src"), seen.address("dst"), int(packet["dst_port"])
        for number, item in enumerate(reply.instances, 1):
            cut = reply.truncated and number == len(reply.instances) and item.tcp_port is None
            said = (item.tcp_port or 0, cut, item.instance, item.server, item.version)
            self.announced.append(Announced(source, asker, asker_port, *said, *times))

    def _frame(self, seen: _Seen, payload: bytes) -> None:
        frame = parse_frame(payload)
        if frame is None:
            return
        self.proofs.append(seen.proof("digifort_frame", frame.name))
        component = component_of(frame.name)
        if component is not None:
            self.proofs.append(seen.proof(_FRAMES[component], frame.version))

    def _text(self, seen: _Seen, payload: bytes) -> None:
        message = parse_head(payload)
        if message is None:
            return
        if message.credentials in ("basic", "url"):
            self.proofs.append(seen.proof("credentials", message.credentials))
        if message.protocol == "RTSP":
            self.proofs.append(seen.proof("rtsp", message.header("server") or message.header("user-agent")))
            self.sessions.add(seen.row, seen.side, seen.packet, payload)
            if message.kind == "reply":
                packet = seen.packet
                times = int(packet["ts_ns"]), int(packet["capture"]), int(packet["record"])
                self.replied.append(Replied(seen.row, message.status, *times))
        else:
            self._http(seen, message)

    def _http(self, seen: _Seen, message: Message) -> None:
        facts = http_facts(message)
        for fact in facts:
            if fact in _HTTP_MARKS:
                self.proofs.append(seen.proof(_HTTP_MARKS[fact]))
        if message.kind == "request":
            self._asked[seen.row] = "digifort_api" in facts
        elif 200 <= message.status < 300 and self._asked.get(seen.row) is False:
            self.proofs.append(seen.proof("http_elsewhere"))
        if message.header("server"):
            self.proofs.append(seen.proof("http", message.header("server")))

    def _stream(self, seen: _Seen, payload: bytes) -> None:
        if seen.row in self.sessions:
            self.sessions.add(seen.row, seen.side, seen.packet, payload)

    def _tds(self, seen: _Seen, payload: bytes) -> None:
        prelogin = parse_prelogin(payload, int(seen.packet["payload"]))
        if prelogin is not None:
            if prelogin.by == "client":
                self.proofs.append(seen.proof("tds_prelogin", prelogin.instance))
            else:
                self.proofs.append(seen.proof("tds_reply", prelogin.version))

    def _tls(self, seen: _Seen, payload: bytes) -> None:
        hello = parse_client_hello(payload)
        if hello is not None and hello.sni:
            self.proofs.append(seen.proof("tls", hello.sni))

    def _report(self, seen: _Seen, payload: bytes) -> None:
        said = parse_rtcp(payload, int(seen.packet["payload"]))
        if said is not None:
            self.reports.add(said, seen.address("src"), seen.address("dst"))

    def _httpu(self, seen: _Seen, payload: bytes) -> None:
        said = parse_ssdp(payload)
        if said is None:
            return
        self.proofs.append(seen.proof("ssdp", said.server or said.target))
        if said.kind == "search":
            packet = seen.packet
            times = int(packet["ts_ns"]), int(packet["capture"]), int(packet["record"])
            self.searched.append(Searched(seen.address("src"), int(packet["src_port"]), said.wait, *times))

    def _soap(self, seen: _Seen, payload: bytes) -> None:
        said = parse_wsd(payload)
        if said is None:
            return
        self.proofs.append(seen.proof("ws_discovery", said.hardware or said.name or said.kind))
        if said.is_camera and said.kind in ("Hello", "ProbeMatches", "ResolveMatches"):
            self.proofs.append(seen.proof("onvif", said.hardware))


def buffer_of(index: int, buffers: Sequence[tuple[Any, Array]]) -> Any:
    """The buffer that row `index` points into."""
    if len(buffers) == 1:
        return buffers[0][0]
    for buffer, rows in buffers:
        if np.any(rows == index):
            return buffer
    raise IndexError(index)


def _payload(packet: Any, buffer: Any, before: int) -> bytes:
    """The captured payload, `before` bytes earlier where the decoder counts those to the header."""
    start = int(packet["payload_at"])
    return bytes(buffer[start - before : start + int(packet["payload_captured"])])
