"""What payloads leave in the flow table: hints, media by sequence, the originator; the same for any split and speed."""

from __future__ import annotations

from typing import Any

import numpy as np
import payload_vectors as vectors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payload_vectors import rtp
from reference_payloads import Media, hint_of
from test_flows import ACK, NOTHING_LISTENS, SYN, packet, reply, rows_of

from captures.makers import payloads as made
from classifier.decode.hints import HINTS, hint_bit
from classifier.evidence.marks import mark_bit
from classifier.evidence.proofs import judge
from classifier.flows import state
from classifier.flows.finish import finish_flows
from classifier.flows.table import DIRECTION_BASES, FlowTable
from classifier.flows.tally import Tally
from classifier.jit import INTERPRETED, view
from fuzz.sniffed import payloads

Said = tuple[dict[str, int], bytes]

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\n\r\n"
FRAME = made.digifort_ping("LOGIN")


def sniffed_rows(said: list[Said]) -> np.ndarray:
    """PACKET rows of packets with these payloads, hints set."""
    rows = rows_of([{**fields, "payload": len(data)} for fields, data in said])
    sizes = np.array([len(data) for _, data in said], "i8")
    rows["payload_at"] = np.cumsum(sizes) - sizes
    rows["payload_captured"] = sizes
    INTERPRETED.sniff_batch(view(b"".join(data for _, data in said), False), rows, len(rows))
    return rows


def tallied(rows: np.ndarray, *, compiled: bool = False, step: int = 4096, **options: int) -> Tally:
    tally = Tally(compiled=compiled, **options)
    for start in range(0, len(rows), step):
        part = rows[start : start + step].copy()
        tally.update(part, len(part))
    return tally


def shown(tally: Tally) -> list[dict[str, Any]]:
    """Per flow in order of its first packet: what its payloads left, and the evidence they give."""
    rows = tally.finish()[0].copy()
    flows = finish_flows(rows, NOTHING_LISTENS)[0]
    judge(flows, rows, tally.probes, [])
    found = []
    for at in range(len(flows)):
        row = rows[flows.row[at]]
        sides = []
        for side in range(2):
            probe = tally.probes[int(row["probe"]) + side]
            done = int(probe["hits"]) >= state.RTP_ENOUGH  # nothing more is looked at
            names = [name for name in state.PROBE.names or () if not (done and name.startswith("last_"))]
            sides.append({name: probe[name].tolist() for name in names} if row["probe"] and row["proto"] == 17 else {})
        found.append(
            {
                "key": tuple(int(row[name]) for name in ("a3", "a_port", "b3", "b_port", "proto")),
                "hints": (int(row["a_hints"]), int(row["b_hints"])),
                "media": sides,
                "evidence": int(flows.evidence[at]),
                "basis": DIRECTION_BASES[int(flows.direction_basis[at])],
            }
        )
    return found


@st.composite
def conversations(draw: st.DrawFn) -> list[Said]:
    """A few UDP and TCP flows whose sides say all kinds of things; RTP mostly goes on."""
    said: list[Said] = []
    seqs: dict[tuple[int, bool], int] = {}
    kinds = st.sampled_from(("next",) * 8 + ("repeat", "jump", "ssrc", "type", "back", "rtcp", "ts", "stun", "junk"))
    texts = st.sampled_from((REQUEST, ANSWER, FRAME, vectors.TLS_CLIENT, vectors.PRELOGIN_SERVER, b"x", b""))
    length = draw(st.integers(1, 70))
    for ms in range(length):
        flow, back = draw(st.integers(1, 2)), draw(st.sampled_from((False, False, False, True)))
        if draw(st.sampled_from((True, True, True, False))):
            kind = draw(kinds)
            seq = seqs.get((flow, back), 65530) + {"repeat": 0, "jump": 7, "back": -2}.get(kind, 1)
            seqs[flow, back] = seq
            stamp = 90 * seq if kind != "back" else 90 * seq - 1_000_000
            data = {
                "rtcp": vectors.RTCP_SR,
                "ts": vectors.TS,
                "stun": vectors.STUN_REQUEST,
                "junk": b"\x80\x01",
                "ssrc": rtp(seq, stamp, ssrc=9),
                "type": rtp(seq, stamp, kind=8),
            }.get(kind, rtp(seq, stamp))
            fields = packet(flow, 5000 + flow, 9, 3456, proto=17, ms=ms)
        else:
            data = draw(texts)
            fields = packet(flow, 50000 + flow, 9, 8600, ms=ms)
        said.append((reply(fields) if back else fields, data))
    return said


@settings(max_examples=60, deadline=None)
@given(conversations(), st.integers(1, 9))
def test_any_batch_size_at_both_speeds_shows_the_same(said: list[Said], step: int) -> None:
    rows = sniffed_rows(said)
    whole = shown(tallied(rows))
    for compiled in (False, True):
        assert shown(tallied(rows, compiled=compiled, step=step)) == whole


@settings(max_examples=80, deadline=None)
@given(conversations())
def test_hints_and_media_are_those_of_the_twin(said: list[Said]) -> None:
    flows: dict[tuple[int, int], tuple[dict[str, int], list[set[str]], list[Media]]] = {}
    for fields, data in said:
        ends = {(fields["src3"], fields["src_port"]), (fields["dst3"], fields["dst_port"])}
        key = (min(ends)[0], fields["proto"])
        first, names, media = flows.setdefault(key, (fields, [set(), set()], [Media(), Media()]))
        side = int((fields["src3"], fields["src_port"]) != (first["src3"], first["src_port"]))
        names[side].add(hint_of(fields["proto"], data, len(data))[0])
        if fields["proto"] == 17:
            media[side].add(data, len(data))
    for found, (_, names, media) in zip(shown(tallied(sniffed_rows(said))), flows.values(), strict=True):
        for side in range(2):
            bits = sum(hint_bit(HINTS.index(name)) for name in names[side] if name)
            assert found["hints"][side] == bits
            twin, probe = media[side], found["media"][side]
            said_by_probe = [probe.get(name, 0) for name in ("hits", "reports", "datagrams")]
            assert said_by_probe == [min(twin.hits, state.RTP_ENOUGH), twin.reports, twin.datagrams]


def stream(seqs: list[int], **fields: int) -> list[Said]:
    """A one-way RTP stream with these sequence numbers (and time stamps that go with them)."""
    sent = packet(7, 6000, 9, 3456, proto=17)
    return [({**sent, "ts_ns": sent["ts_ns"] + ms}, rtp(seq, 90 * seq, **fields)) for ms, seq in enumerate(seqs)]


def marks(said: list[Said]) -> int:
    (flow,) = shown(tallied(sniffed_rows(said)))
    evidence: int = flow["evidence"]
    return evidence


@pytest.mark.parametrize(
    ("case", "seqs"),
    [
        ("in order", [1, 2, 3, 4, 5]),
        ("over the wrap", [65534, 65535, 0, 1, 2, 3]),
        ("5 % lost", [n for n in range(100) if n % 20]),
        ("each packet captured twice", [n // 2 for n in range(40)]),
        ("every second one lost, then whole", [*range(0, 40, 2), *range(40, 60)]),
    ],
)
def test_packets_that_continue_each_other_are_rtp(case: str, seqs: list[int]) -> None:
    for kind in (0, 8, 26, 33, 96):
        assert marks(stream(seqs, kind=kind)) & mark_bit("rtp"), case


@pytest.mark.parametrize(
    ("case", "seqs"),
    [
        ("one packet", [1]),
        ("four", [1, 2, 3, 4]),
        ("counting by two", list(range(0, 60, 2))),
        ("the same number always", [5] * 60),
        ("backwards", list(range(60, 0, -1))),
        ("wrapped once to 1, not 0", [65534, 1]),
        ("a run lost among others", [1, 2, 3, 4, 5, *range(100, 200, 3)]),
    ],
)
def test_packets_that_do_not_are_none(case: str, seqs: list[int]) -> None:
    assert not marks(stream(seqs)) & mark_bit("rtp"), case


def test_a_stream_whose_source_changes_with_every_packet_is_no_rtp() -> None:
    said = [(fields, rtp(n, 90 * n, ssrc=n)) for n, (fields, _) in enumerate(stream(list(range(50))))]
    assert not marks(said) & mark_bit("rtp")


def test_a_time_stamp_that_goes_back_does_not_continue() -> None:
    said = [(fields, rtp(n, -90 * n)) for n, (fields, _) in enumerate(stream(list(range(50))))]
    assert not marks(said) & mark_bit("rtp")


def test_a_restarted_stream_goes_on_after_two_packets() -> None:
    assert marks(stream([10, 11, 12, 13, 5000, 5001, 5002, 5003])) & mark_bit("rtp")


def test_one_report_is_no_rtcp_and_one_of_each_side_is() -> None:
    sent = packet(7, 6000, 9, 3457, proto=17)
    assert not marks([(sent, vectors.RTCP_RR_EMPTY)]) & mark_bit("rtcp")
    assert marks([(sent, vectors.RTCP_SR)] * 2) & mark_bit("rtcp")
    assert marks([(sent, vectors.RTCP_SR), (reply(sent), vectors.RTCP_RR_EMPTY)]) & mark_bit("rtcp")


def test_three_datagrams_of_one_side_are_a_transport_stream() -> None:
    sent = packet(7, 6000, 9, 3456, proto=17)
    assert not marks([(sent, vectors.TS)] * 2 + [(reply(sent), vectors.TS)]) & mark_bit("mpegts")
    assert marks([(sent, vectors.TS)] * 3) & mark_bit("mpegts")


def test_media_beyond_the_room_for_probes_are_counted_not_lost_silently() -> None:
    said = [(packet(n, 6000, 9, 3456, proto=17), rtp(1)) for n in range(1, 20)]
    tally = Tally(compiled=False)
    tally.state[state.PROBES_CAP] = 12
    rows = sniffed_rows(said)
    tally.update(rows, len(rows))
    assert (tally.state[state.PROBES], tally.state[state.PROBES_FULL]) == (12, 14)
    assert len(tally.probes) >= 12 and int(tally.flows["probe"].max()) == 10


# Who is the originator when there is no handshake.


def table_of(said: list[Said]) -> FlowTable:
    return finish_flows(tallied(sniffed_rows(said)).finish()[0], NOTHING_LISTENS)[0]


def origin(said: list[Said]) -> tuple[int, str]:
    """Last word of the originator's address, and on what that rests."""
    table = table_of(said)
    assert len(table) == 1
    return int(table.orig_addr[0, 3]), DIRECTION_BASES[int(table.direction_basis[0])]


LOW = packet(1, 9000, 2, 50000, payload=1)  # by the ports, 2 is the client
ASKED = {
    "http": REQUEST,
    "rtsp": b"DESCRIBE rtsp://cam/1 RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    "tds": vectors.PRELOGIN_CLIENT,
}
ANSWERED = {"http": ANSWER, "rtsp": b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", "tds": vectors.PRELOGIN_SERVER}


@pytest.mark.parametrize("protocol", ASKED)
def test_who_asks_is_the_originator_and_who_answers_is_not(protocol: str) -> None:
    assert origin([(LOW, ASKED[protocol])]) == (1, "content")
    assert origin([(reply(LOW), ANSWERED[protocol])]) == (1, "content")
    assert origin([(reply(LOW), ANSWERED[protocol]), (LOW, ASKED[protocol])]) == (1, "content")


def test_where_both_sides_ask_the_ports_decide() -> None:
    assert origin([(LOW, REQUEST), (reply(LOW), REQUEST)]) == (2, "port_order")
    assert origin([(LOW, REQUEST), (LOW, ANSWER)]) == (2, "port_order")


def test_a_handshake_wins_over_what_is_said() -> None:
    syn = {**LOW, "tcp_flags": SYN, "payload": 0}
    assert origin([(syn, b""), (reply(LOW), REQUEST)]) == (1, "syn")
    assert origin([(reply(syn, tcp_flags=SYN | ACK), b""), (reply(LOW), REQUEST)]) == (1, "syn_ack")


def test_who_sends_digifort_frames_is_the_server() -> None:
    assert origin([(packet(1, 9600, 2, 50000), FRAME)]) == (2, "content")
    assert origin([(packet(1, 40001, 2, 50000), FRAME)]) == (2, "content"), "both ports may be a client's"


def test_frames_from_an_ephemeral_port_to_another_are_the_clients() -> None:
    client = packet(2, 50000, 1, 9600)
    assert origin([(client, FRAME)]) == (2, "port_order")
    assert origin([(client, FRAME), (reply(client), FRAME)]) == (2, "content")


def test_udp_payloads_do_not_turn_a_flow() -> None:
    asked = packet(1, 9000, 2, 50000, proto=17)
    assert origin([(asked, ANSWER)]) == (1, "first_packet")


# The fuzz target, for a moment; `fuzz/run.py` runs it for hours.


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 255),
            st.sampled_from((0, 0, 9)),
            st.sampled_from([data for group in vectors.VECTORS.values() for data in group] + [REQUEST, ANSWER, FRAME]),
            st.one_of(st.none(), st.integers(0, 60)),
        ),
        max_size=40,
    ),
    st.binary(max_size=20),
)
def test_no_sequence_of_payloads_breaks_sniffer_tally_or_parsers(
    packets: list[tuple[int, int, bytes, int | None]], rest: bytes
) -> None:
    cut = [(ends, more, data[:size][:255]) for ends, more, data, size in packets]
    payloads(b"".join(bytes((ends, more, len(data))) + data for ends, more, data in cut) + rest)


def test_rows_that_flows_share_have_no_hints() -> None:
    said = [(packet(n, 6000, 9, 3456, proto=17), rtp(n, 90 * n)) for n in range(1, 20)]
    said += [(packet(n, 50000, 9, 8600), FRAME) for n in range(1, 20)]
    rows = tallied(sniffed_rows(said), max_flows=2).finish()[0]
    shared = rows[(rows["a3"] == 0) & (rows["b3"] == 0)]
    assert len(shared) >= 2
    assert not shared["a_hints"].any() and not shared["b_hints"].any() and not shared["probe"].any()
