"""TCP per direction: the kernel is the slow twin on any conversation; what single rules mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
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
    return finish_tcp_table(finish_flows(rows, NOTHING_LISTENS)[0], rows, tally.tcp)


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


STEPS = ("data", "data", "data", "ack", "ack", "lost", "again", "old", "early", "keep", "zero", "copy", "fin", "rst", "odd")
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
