"""TCP per direction: the kernel is the slow twin on any conversation; what single rules mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_tcp import ACK, FIN, MS, RST, SYN, Connection, Segment, analyse
from test_flows import NOTHING_LISTENS, packet, reply, rows_of, tallied

from classifier.flows import state
from classifier.flows.finish import finish_flows
from classifier.flows.tally import Tally
from classifier.flows.tcp_table import TCP_FACTS, TcpTable, finish_tcp_table

START = 1_700_000_000_000_000_000
BYTES = ("unseen_bytes", "gap_bytes", "unseen_acks", "stall_ns", "stall_at_ns")
"""Not told exactly when there are more holes at a time than are kept."""


def rows_of_segments(segments: list[Segment]) -> np.ndarray:
    """PACKET rows."""
    packets = []
    for s in segments:
        fields = packet(
            flags=s.flags, seq=s.seq, payload=s.size, ack=s.ack, window=s.window, frag_id=s.ident, ts_ns=START + s.ns
        )
        packets.append(fields if s.side == segments[0].side else reply(fields))
    return rows_of(packets)


def sides(tally: Tally) -> tuple[dict[str, int], dict[str, int], tuple[int, int, int]] | None:
    """Facts of both sides and of the flow, of a finished tally with one flow."""
    tally.finish()
    assert tally.n_flows == 1
    at = int(tally.flows["probe"][0])
    if not at:
        return None
    a, b = ({name: int(tally.tcp[at + k][name]) for name in TCP_FACTS.names or ()} for k in (0, 1))
    first = tally.tcp[at]
    return a, b, (int(first["silence_ns"]), int(first["silence_at_ns"]), int(first["opened_ns"]))


def table(segments: list[Segment]) -> TcpTable:
    """The TCP table of one conversation."""
    tally = tallied(rows_of_segments(segments))
    rows = tally.finish()[0]
    flows = finish_flows(rows, NOTHING_LISTENS)[0]
    return finish_tcp_table(flows, rows["probe"][flows.row], tally.tcp)


def agree(segments: list[Segment], talk: Connection, tally: Tally) -> None:
    """The kernel says what the twin says."""
    found = sides(tally)
    assert (found is not None) == talk.followed
    if found is None:
        return
    order = (0, 1) if segments[0].side == 0 else (1, 0)
    for facts, side in zip(found[:2], order, strict=True):
        way = talk.ways[side]
        for name in TCP_FACTS.names or ():
            if way.too_many and name in BYTES:
                continue
            wanted = getattr(way, name)
            if name == "stall_at_ns" and wanted:
                wanted += START
            assert facts[name] == wanted, (name, side)
    silence_at = talk.silence_at_ns + START if talk.silence_ns else 0
    opened = talk.opened_ns + START if talk.opened_ns else 0
    assert found[2] == (talk.silence_ns, silence_at, opened)


OFTEN = ("data", "data", "ack", "ack", "lost", "again", "old", "early")
STEPS = (*OFTEN, "data", "keep", "zero", "copy", "fin", "rst", "odd")
GAPS = (1, 40_000, 800_000, 2_900_000, 4_000_000, 19_000_000, 250_000_000, 4_000_000_000, -2_000_000)


@st.composite
def conversations(draw: st.DrawFn) -> list[Segment]:
    """Segments as a mirror may show them: lost, again, late, twice, from the start or from the middle."""
    numbers = [draw(st.sampled_from((0, 7, 2**32 - 30, 2**31 - 9, 4_000_000_000))) for _ in (0, 1)]
    window = [1000, 1000]
    told: list[Segment] = []
    ns, ident = 10**9, 1
    out: list[Segment] = []
    late: list[Segment] = []

    def number(side: int, offset: int = 0) -> int:
        return (numbers[side] + offset) % 2**32

    def say(side: int, *, show: bool = True, **fields: Any) -> None:
        nonlocal ident
        ident += 1
        both = {"seq": number(side), "ack": number(1 - side), "window": window[side], "ident": ident if show else 0}
        segment = Segment(side, ns, **{**both, **fields})
        told.append(segment)
        if show:
            out.append(segment)

    if draw(st.booleans()):
        data = draw(st.sampled_from((0, 0, 3)))
        for _ in range(draw(st.integers(1, 2))):
            say(0, flags=SYN, ack=0, size=data)
            ns += draw(st.sampled_from((50_000, 10_000_000)))
        numbers[0] += 1 + data
        if draw(st.booleans()):
            say(1, flags=SYN | ACK)
        ns += draw(st.sampled_from((50_000, 10_000_000)))
        numbers[1] += 1
        if draw(st.booleans()):
            say(0)
    for _ in range(draw(st.integers(1, 25))):
        ns += draw(st.sampled_from(GAPS))
        side = draw(st.integers(0, 1))
        what = draw(st.sampled_from(STEPS))
        size = draw(st.sampled_from((1, 2, 5, 20)))
        mine = [s for s in told if s.side == side and s.size]
        if what in ("data", "lost", "early"):
            say(side, size=size, show=what == "data")
            if what == "early":
                late.append(told[-1])
            numbers[side] += size
        elif what == "ack":
            say(side)
        elif what == "again" and mine:
            one = draw(st.sampled_from(mine))
            say(side, seq=one.seq, size=one.size)
        elif what == "old" and late:
            one = late.pop(draw(st.integers(0, len(late) - 1)))
            out.append(Segment(one.side, ns, one.seq, one.ack, one.flags, one.window, one.size, 0))
        elif what == "keep":
            say(side, seq=number(side, -1), size=draw(st.integers(0, 1)))
        elif what == "zero":
            window[side] = 0 if window[side] else 500
            say(side)
        elif what == "copy" and out:
            one = out[-draw(st.integers(1, min(len(out), 3)))]
            out.append(Segment(one.side, ns, one.seq, one.ack, one.flags, one.window, one.size, one.ident))
        elif what == "fin":
            say(side, flags=FIN | ACK, size=draw(st.sampled_from((0, size))))
            numbers[side] += 1 + told[-1].size
        elif what == "rst":
            say(side, flags=RST | draw(st.sampled_from((0, ACK))), window=0)
        elif what == "odd":
            say(side, seq=number(side, draw(st.integers(-30, 30))), ack=number(1 - side, draw(st.integers(-30, 30))))
    return out or [Segment(0, ns, 5, 6)]


@settings(max_examples=400, deadline=None)
@given(conversations())
def test_the_kernel_is_the_twin(segments: list[Segment]) -> None:
    agree(segments, analyse(segments), tallied(rows_of_segments(segments)))


@settings(max_examples=60, deadline=None)
@given(conversations(), st.integers(1, 5))
def test_speeds_and_batches_make_no_difference(segments: list[Segment], step: int) -> None:
    rows = rows_of_segments(segments)
    whole = sides(tallied(rows))
    assert sides(tallied(rows, step=step)) == whole
    assert sides(tallied(rows, compiled=True, step=step)) == whole


def opened(**syn: int) -> list[Segment]:
    """A handshake that takes 10 ms; numbers of both sides begin at 100."""
    first = Segment(0, 0, 99, flags=SYN, **syn)
    return [first, Segment(1, 6 * MS, 99, 100, SYN | ACK), Segment(0, 10 * MS, 100, 100)]


def data(ms: int, seq: int, size: int = 50, **more: int) -> Segment:
    """Of the originator."""
    return Segment(0, ms * MS, seq, 100, size=size, **more)


def ack(ms: int, number: int, **more: int) -> Segment:
    """Of the responder."""
    return Segment(1, ms * MS, 100, number, **more)


def of(table: TcpTable, name: str) -> tuple[int, int]:
    return int(table.orig[name][0]), int(table.resp[name][0])


def test_what_was_lost_on_the_way_and_sent_again_is_no_loss_of_the_capture() -> None:
    found = table([*opened(), data(20, 100), data(20, 200), ack(30, 150), data(230, 150), ack(240, 250)])
    assert of(found, "retransmitted") == (1, 0) and of(found, "retransmitted_bytes") == (50, 0)
    assert of(found, "gaps") == (1, 0)
    assert of(found, "unseen_bytes") == (0, 0) and of(found, "gap_bytes") == (0, 0)


def test_what_was_acknowledged_and_never_captured_is_loss_of_the_capture() -> None:
    found = table([*opened(), data(20, 100), data(20, 200), ack(30, 250)])
    assert of(found, "unseen_bytes") == (50, 0) and of(found, "unseen_acks") == (1, 0)
    assert of(found, "retransmitted") == (0, 0)


def test_the_last_segments_may_be_missing_too() -> None:
    found = table([*opened(), data(20, 100), ack(30, 1150)])
    assert of(found, "unseen_bytes") == (1000, 0)


def test_data_captured_after_its_acknowledgement_is_not_missing() -> None:
    found = table([*opened(), ack(20, 150), data(20, 100), data(30, 150), ack(31, 200)])
    assert of(found, "unseen_bytes") == (0, 0) and of(found, "unseen_acks") == (1, 0)


def test_a_gap_that_nobody_acknowledged_is_none_of_the_capture() -> None:
    found = table([*opened(), data(20, 100), data(20, 200), ack(30, 150)])
    assert of(found, "gap_bytes") == (50, 0) and of(found, "unseen_bytes") == (0, 0)


def test_a_late_segment_within_the_round_trip_is_out_of_order() -> None:
    found = table([*opened(), data(20, 100), data(21, 200), data(22, 150), ack(40, 250)])
    assert of(found, "out_of_order") == (1, 0) and of(found, "retransmitted") == (0, 0)


def test_a_mirrors_copies_are_neither_retransmissions_nor_duplicate_acks() -> None:
    one = [*opened(), data(20, 100, ident=7), ack(21, 150, ident=9)]
    found = table([*one, *one[-2:], *one[-2:]])
    assert of(found, "duplicates") == (2, 2)
    assert of(found, "retransmitted") == of(found, "duplicate_acks") == (0, 0)
    assert of(found, "segments") == (1, 0)


def test_the_same_segment_with_another_identification_was_sent_again() -> None:
    found = table([*opened(), data(20, 100, ident=7), data(23, 100, ident=8)])
    assert of(found, "retransmitted") == (1, 0) and of(found, "duplicates") == (0, 0)


def test_an_offloaded_segment_that_repeats_only_its_beginning_counts_that() -> None:
    found = table([*opened(), data(20, 100, 1000), data(300, 600, 60_000)])
    assert of(found, "retransmitted_bytes") == (500, 0)


def test_numbers_wrap() -> None:
    start = 2**32 - 60
    found = table([data(1, start), data(2, start + 50), ack(3, 40), data(400, start + 50), data(401, 40)])
    assert of(found, "retransmitted") == (1, 0) and of(found, "unseen_bytes") == (0, 0)
    assert of(found, "gaps") == (0, 0)


def test_a_keep_alive_is_no_retransmission() -> None:
    found = table([*opened(), data(20, 100), ack(21, 150), data(60_000, 149, 1), ack(60_001, 150)])
    assert of(found, "keep_alives") == (1, 0) and of(found, "retransmitted") == (0, 0)
    assert of(found, "duplicate_acks") == (0, 0)


def test_zero_windows_last_until_the_window_opens() -> None:
    found = table([*opened(), data(20, 100), ack(21, 150, window=0), ack(30, 150, window=0), ack(521, 150, window=9)])
    assert of(found, "zero_windows") == (0, 2) and of(found, "zero_window_ns") == (0, 500 * MS)
    still = table([*opened(), data(20, 100), ack(21, 150, window=0), data(1021, 150, 1)])
    assert of(still, "zero_window_ns") == (0, 1000 * MS)
    assert of(still, "segments") == (2, 0) and of(still, "retransmitted") == (0, 0)


def test_a_stall_is_not_broken_by_what_brings_nothing_new() -> None:
    found = table([*opened(), data(20, 100), data(420, 100), data(820, 100), data(1620, 100), data(2020, 150)])
    assert of(found, "stall_ns") == (2000 * MS, 0) and of(found, "stall_at_ns") == (START + 20 * MS, 0)
    assert (found.silence_ns[0], found.silence_at_ns[0]) == (800 * MS, START + 820 * MS)


def test_silence_ends_with_the_connection() -> None:
    found = table(
        [*opened(), data(20, 100), Segment(0, 900 * MS, 150, 100, FIN | ACK), ack(9900, 151, flags=FIN | ACK)]
    )
    assert found.silence_ns[0] == 880 * MS


def test_the_handshake_tells_the_way_to_each_side() -> None:
    found = table([*opened(), data(20, 100)])
    assert (found.syn_ns[0], found.synack_ns[0]) == (6 * MS, 4 * MS)
    twice = table([opened()[0], *opened(), data(20, 100)])
    assert (twice.syn_ns[0], twice.synack_ns[0]) == (-1, 4 * MS)
    middle = table([data(20, 100)])
    assert (middle.syn_ns[0], middle.synack_ns[0]) == (-1, -1)


def test_data_in_the_syn_is_expected() -> None:
    first = Segment(0, 0, 99, flags=SYN, size=10)
    found = table([first, Segment(1, 6 * MS, 99, 110, SYN | ACK), data(20, 110)])
    assert of(found, "gaps") == (0, 0) and of(found, "unseen_bytes") == (0, 0)


def test_a_scan_takes_no_rows() -> None:
    scan = [packet(sport=1000 + k, flags=SYN, seq=k) for k in range(500)]
    answers = [reply(p, tcp_flags=RST | ACK) for p in scan]
    tally = tallied(rows_of([*scan, *answers]))
    assert tally.n_flows == 500 and not tally.flows["probe"][:500].any()


def test_a_full_table_is_told_of() -> None:
    packets = [packet(sport=1000 + k, payload=5, frag_id=k + 1) for k in range(9)]
    tally = Tally(compiled=False)
    tally.state[state.TCP_CAP] = 6
    rows = rows_of(packets)
    tally.update(rows, len(rows))
    tally.finish()
    assert (tally.flows["probe"][:9] > 0).tolist() == [True] * 2 + [False] * 7
    assert tally.state[state.TCP_FULL] == 7


def test_numbers_that_jump_too_far_are_no_loss() -> None:
    found = table([data(20, 100), data(30, 3_000_000_000), data(40, 3_000_000_050), ack(50, 3_000_000_100)])
    assert of(found, "unseen_bytes") == (0, 0)
    far = table([data(20, 100), data(30, 1_500_000_000), ack(31, 1_500_000_050)])
    assert of(far, "unseen_bytes") == (0, 0) and of(far, "gap_bytes") == (0, 0)
