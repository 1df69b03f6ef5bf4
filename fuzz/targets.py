"""What is fuzzed: functions that take bytes and must not raise, with their promises as assertions.

In: any bytes. Out: nothing; an exception is a finding. Next: `fuzz/run.py` (atheris), `tests/test_hostile_targets.py`.

Kernels run interpreted over a memoryview that ends where the input ends, so that every read past a bound raises
IndexError, which the compiled form would not notice.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from classifier import engine
from classifier.capture import open_capture
from classifier.capture.blocks import parse_interface, parse_names, parse_section, parse_statistics
from classifier.capture.compression import DecompressionError, Inflater, compression_of
from classifier.capture.pcap import parse_header
from classifier.columns import PACKET, RECORD, TABLES
from classifier.decode import STOPS
from classifier.decode.layers import LINK_KINDS
from classifier.decode.packet import decode_batch
from classifier.errors import CaptureError
from classifier.evidence.assemble import MAX_BYTES, MAX_MESSAGES, Assembler
from classifier.evidence.digifort import parse_frame
from classifier.evidence.dns import parse_dns
from classifier.evidence.http import http_facts
from classifier.evidence.icmp import parse_quoted
from classifier.evidence.membership import parse_igmp, parse_mld
from classifier.evidence.message import parse_head
from classifier.evidence.mpegts import parse_ts
from classifier.evidence.rtcp import parse_rtcp
from classifier.evidence.rtp import guess_h264, guess_h265, parse_rtp
from classifier.evidence.rtsp import Conversation
from classifier.evidence.sdp import parse_sdp
from classifier.evidence.ssdp import parse_ssdp
from classifier.evidence.ssrp import parse_reply, parse_request
from classifier.evidence.tds import is_tds, is_tls_wrapped, parse_prelogin
from classifier.evidence.tls import parse_client_hello, parse_dtls_hello, parse_server_hello, record_kind
from classifier.evidence.transport import parse_transport
from classifier.evidence.wsd import parse_wsd
from classifier.flows.tally import Tally
from classifier.jit import view
from classifier.matching import SignatureSet, attribute, load_signatures
from classifier.render import csv, text
from classifier.render.escape import printable
from classifier.report import Report
from fuzz.findings import check_findings
from fuzz.sniffed import payloads

LINKS = [*sorted(LINK_KINDS), 253, -1]
MAX_NAMES = 10_000
INFLATED_MOST = 1 << 22

_signatures: SignatureSet | None = None


def reader(data: bytes) -> None:
    """A whole file through the reader, in large and in small chunks: the same records, inside the buffer."""
    seen = []
    for chunk in (1 << 20, 61):
        try:
            with open_capture(io.BytesIO(data), compiled=False, chunk=chunk) as capture:
                rows = 0
                for batch in capture.batches():
                    records = batch.records
                    assert batch.first_record == rows + 1
                    assert (records["captured"] >= 0).all() and (records["offset"] >= 0).all()
                    assert (records["offset"] + records["captured"] <= len(batch.buffer)).all()
                    rows += len(records)
                info = capture.info
                assert rows == info.packets
                seen.append((rows, info.wire_bytes, info.captured_bytes, info.complete, info.problem_count))
        except CaptureError as error:
            assert "\n" not in str(error)
            seen.append(("refused",))
    assert seen[0] == seen[1], seen


def frame(data: bytes) -> None:
    """One frame of any link type through the decoder and the tally: first byte the link type, then the frame."""
    if data:
        _packets([(LINKS[data[0] % len(LINKS)], data[1:])])


def frames(data: bytes) -> None:
    """Several frames one after another (link type, length, frame): fragments, retransmissions, reused ports."""
    found, at = [], 0
    while at + 3 <= len(data) and len(found) < 64:
        size = data[at + 1] | (data[at + 2] & 7) << 8
        found.append((LINKS[data[at] % len(LINKS)], data[at + 3 : at + 3 + size]))
        at += 3 + size
    if found:
        _packets(found)


def _packets(found: list[tuple[int, bytes]]) -> None:
    packets = np.zeros(len(found), PACKET)
    for i, (link, data) in enumerate(found):
        record = np.zeros(1, RECORD)
        record["captured"], record["link"], record["ts_ns"] = len(data), link, i * 1_000_000_007
        record["wire"] = len(data) + (data[0] if data and i % 2 else 0)
        decode_batch(view(data, False), record, 1, packets[i : i + 1])
        row = packets[i]
        start, captured = int(row["payload_at"]), int(row["payload_captured"])
        assert 0 <= captured <= len(data) and int(row["payload"]) >= 0
        assert not captured or 0 <= start <= start + captured <= len(data)
        assert int(row["stop"]) < len(STOPS)
    packets["record"] = np.arange(len(found)) + 1
    wire = int(packets["wire"].sum())
    for caps in ({}, {"max_flows": 2}, {"max_bins": 4}):
        tally = Tally(compiled=False, room=len(found), keep_log=True, **caps)
        tally.update(packets, len(packets))
        rows, bins = tally.finish()
        assert int(rows["a_packets"].sum() + rows["b_packets"].sum()) == len(found)
        assert int(rows["a_wire"].sum() + rows["b_wire"].sum()) == wire
        assert int(bins["packets"].sum()) == len(found)
        assert sorted(tally.take_log()["record"].tolist()) == list(range(1, len(found) + 1))


def payload(data: bytes) -> None:
    """Every parser that Python runs over bytes of a packet or a block."""
    for parse in PARSERS:
        parse(data)


def _names(data: bytes) -> None:
    names: dict[str, str] = {}
    parse_names(data, "little", names, MAX_NAMES)
    parse_names(data, "big", names, MAX_NAMES)
    assert len(names) <= MAX_NAMES


def _ssrp(data: bytes) -> None:
    reply = parse_reply(data)
    if reply is None:
        return
    for instance in reply.instances:
        assert instance.tcp_port is None or 1 <= instance.tcp_port <= 65535
        for said in (instance.server, instance.instance, instance.version):
            shown = printable(said)
            assert shown.isascii() and not any(ord(c) < 0x20 or ord(c) == 0x7F for c in shown)
            cell = str(csv.cell(said))
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell


def _evidence(data: bytes) -> None:
    """Payloads, whole and as what a snaplen left of 1,000 bytes more."""
    for parse in (
        parse_prelogin,
        is_tds,
        parse_rtp,
        parse_rtcp,
        parse_ts,
        parse_dns,
    ):
        parse(data)
        parse(data, len(data) + 1000)
    for hello in (parse_client_hello(data), parse_dtls_hello(data)):
        assert hello is None or len(printable(hello.sni)) <= 4 * len(data)
    for found in (parse_ssdp(data), parse_wsd(data)):
        assert found is None or len(printable(found)) < 100_000
    parse_server_hello(data)
    record_kind(data)
    is_tls_wrapped(data)
    for body in (data, data[12:]):
        guess_h264(body)
        guess_h265(body)


def _head(data: bytes) -> None:
    message = parse_head(data)
    if message:
        assert 0 < message.head_bytes <= len(data)
        http_facts(message)


def _segments(data: bytes) -> None:
    """Segments (side, distance, size, bytes) of a connection, reassembled, and what its RTSP messages agree on."""
    sides = (Assembler(), Assembler())
    at, seq = 0, 0xFFFFFF00
    while at + 3 <= len(data):
        size = data[at + 2]
        seq = (seq + data[at + 1] - 64) % (1 << 32)
        sides[data[at] & 1].add(seq, data[at + 3 : at + 3 + size], bool(data[at] & 2))
        seq += size
        at += 3 + size
    conversation = Conversation()
    for side, assembler in enumerate(sides):
        found = list(assembler.messages())
        assert len(found) <= MAX_MESSAGES and sum(len(body) for _, body, _ in found) <= MAX_BYTES
        for number, (message, body, _) in enumerate(found):
            conversation.add(side, message, body, number, number)
    conversation.facts()
    for flow in conversation.flows():
        assert all(0 < first <= 65535 for first, _ in (*flow.client_ports, *flow.server_ports))
        assert flow.ports is None or flow.ports[0]


PARSERS: tuple[Callable[[bytes], Any], ...] = (
    _ssrp,
    parse_request,
    parse_igmp,
    parse_mld,
    parse_frame,
    _head,
    lambda data: parse_sdp(data, whole=True),
    lambda data: parse_transport(data.decode("latin-1")),
    _segments,
    lambda data: parse_quoted(data, 4),
    lambda data: parse_quoted(data, 6),
    parse_header,
    lambda data: parse_section(data + bytes(16), "little"),
    lambda data: parse_section(data + bytes(16), "big"),
    lambda data: parse_interface(data, "little"),
    lambda data: parse_interface(data, "big"),
    lambda data: parse_statistics(data, "little"),
    lambda data: parse_statistics(data, "big"),
    _names,
)


def inflate(data: bytes) -> None:
    """Compressed data of any kind: ends, and gives no more than asked for."""
    if compression_of(data[:4]) is None:
        data = (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18")[len(data) % 3] + data
    source = io.BytesIO(data[4:])
    inflater = Inflater(data[:4], source.read, lambda code, message: None, prompt=True)
    room = memoryview(bytearray(5000))
    total = 0
    try:
        while total < INFLATED_MOST:
            count = inflater.readinto(room)
            assert 0 <= count <= len(room)
            if count == 0:
                break
            total += count
    except DecompressionError:
        pass


def whole(data: bytes) -> None:
    """A file through everything, to the report in every form."""
    global _signatures
    if _signatures is None:
        _signatures = load_signatures()
    try:
        result = engine.read(io.BytesIO(data), signatures=_signatures, compiled=False)
    except CaptureError:
        return
    report = Report(result, _signatures, attribute(result.flows, result.links, _signatures, result.learned))
    for measure in ("packets", "wire_bytes", "flows"):
        assert sum(row[measure] for row in report.rows("components")) == report.totals[measure]
    assert report.totals["packets"] == sum(info.packets for info in report.captures)
    check_findings(report)
    json.dumps(report.to_dict(("flows", "timeline", "quality")), allow_nan=False)
    for section in TABLES:
        csv.render(report, section)
    for shown in (text.render(report, ()), text.render(report, tuple(TABLES))):
        assert not any(c != "\n" and (ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0) for c in shown)


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (reader, frame, frames, payload, payloads, inflate, whole)
}
"""Name of a target -> what it does with bytes."""
