"""The flow table: both speeds, any batch size, any split; fragments; originators; TCP states."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.columns import LINK_PROTO, NO_VLAN, PACKET
from classifier.flows.finish import finish_flows
from classifier.flows.table import DIRECTION_BASES, TCP_STATES, FlowTable
from classifier.flows.tally import BIN_WIDTH_NS, SECOND_NS, Tally, join_bins

FIN, SYN, RST, ACK = 1, 2, 4, 16
START = 1_700_000_000 * SECOND_NS
NOTHING_LISTENS = {"tcp": np.zeros(65536, bool), "udp": np.zeros(65536, bool)}


def packet(
    src: int = 1,
    sport: int = 40000,
    dst: int = 2,
    dport: int = 7777,
    *,
    proto: int = 6,
    ms: int = 0,
    flags: int = ACK,
    seq: int = 0,
    payload: int = 0,
    **more: int,
) -> dict[str, int]:
    return {
        "src3": src,
        "src_port": sport,
        "dst3": dst,
        "dst_port": dport,
        "proto": proto,
        "ts_ns": START + ms * 1_000_000,
        "tcp_flags": flags if proto == 6 else 0,
        "seq": seq,
        "payload": payload,
        "wire": 60 + payload,
        "captured": 60 + payload,
        "ip": 40 + payload,
        "version": 4,
        "vlan": NO_VLAN,
        "ttl": 64,
        **more,
    }


def reply(p: dict[str, int], **more: int) -> dict[str, int]:
    return {
        **p,
        "src3": p["dst3"],
        "dst3": p["src3"],
        "src_port": p["dst_port"],
        "dst_port": p["src_port"],
        **more,
    }


def rows_of(packets: list[dict[str, int]]) -> np.ndarray:
    rows = np.zeros(len(packets), PACKET)
    for i, fields in enumerate(packets):
        for name, value in fields.items():
            rows[name][i] = value
    rows["record"] = np.arange(1, len(packets) + 1)
    return rows


def tallied(rows: np.ndarray, *, compiled: bool = False, step: int = 4096, **options: int) -> Tally:
    tally = Tally(compiled=compiled, **options)
    for start in range(0, len(rows), step):
        part = rows[start : start + step].copy()
        tally.update(part, len(part))
    return tally


def table_of(packets: list[dict[str, int]], listening: dict[str, np.ndarray] = NOTHING_LISTENS) -> FlowTable:
    return finish_flows(tallied(rows_of(packets)).finish()[0], listening)[0]


def state_of(*packets: dict[str, int]) -> str:
    table = table_of(list(packets))
    assert len(table) == 1
    return TCP_STATES[table.tcp_state[0]]


traffic = st.lists(
    st.builds(
        lambda client, server, back, kind, seq, ms, payload, proto: (
            reply(
                packet(
                    client, 5000 + client, server, 80, proto=proto, ms=ms, flags=kind | ACK, seq=seq, payload=payload
                )
            )
            if back
            else packet(
                client,
                5000 + client,
                server,
                80,
                proto=proto,
                ms=ms,
                flags=SYN if kind == SYN else kind | ACK,
                seq=seq,
                payload=payload,
            )
        ),
        client=st.integers(1, 3),
        server=st.integers(11, 12),
        back=st.booleans(),
        kind=st.sampled_from([0, 0, 0, FIN, RST, SYN]),
        seq=st.integers(0, 2),
        ms=st.integers(0, 5000),
        payload=st.integers(0, 1400),
        proto=st.sampled_from([6, 6, 17, 1]),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(traffic, st.integers(1, 9))
def test_any_batch_size_gives_the_same_rows_at_both_speeds(packets: list[dict[str, int]], step: int) -> None:
    rows = rows_of(packets)
    flows, bins = tallied(rows).finish()
    for compiled in (False, True):
        other_flows, other_bins = tallied(rows, compiled=compiled, step=step).finish()
        assert np.array_equal(flows, other_flows)
        assert np.array_equal(bins, other_bins)


def test_sums_of_rows_and_bins_are_those_of_the_packets() -> None:
    rows = rows_of([packet(src=i % 7, ms=i * 37, payload=i) for i in range(500)])
    flows, bins = tallied(rows).finish()
    assert (flows["a_packets"] + flows["b_packets"]).sum() == 500
    assert (flows["a_wire"] + flows["b_wire"]).sum() == rows["wire"].sum()
    assert (bins["a_wire"] + bins["b_wire"]).sum() == rows["wire"].sum()
    assert bins["packets"].sum() == 500
    assert (bins["bin_ns"] % BIN_WIDTH_NS == 0).all()


def test_a_new_isn_on_a_known_five_tuple_is_a_new_flow_and_a_repeated_syn_is_not() -> None:
    syn = packet(flags=SYN, seq=100)
    assert len(table_of([syn, {**syn, "ts_ns": START + 1}])) == 1
    table = table_of([syn, packet(ms=1, payload=5), {**syn, "seq": 999, "ts_ns": START + 10**9}, packet(ms=1001)])
    assert table.packets.tolist() == [2, 2]


def test_a_syn_after_segments_of_an_unknown_start_is_a_new_flow() -> None:
    late = packet(payload=9)
    assert len(table_of([late, packet(ms=5, flags=SYN, seq=77)])) == 2
    assert len(table_of([reply(late), packet(ms=5, flags=SYN, seq=77)])) == 2


def test_a_syn_overtaken_by_its_syn_ack_is_the_same_flow() -> None:
    syn = packet(flags=SYN, seq=7)
    assert len(table_of([reply(syn, tcp_flags=SYN | ACK), syn])) == 1


def test_the_syn_decides_who_is_the_originator_whatever_came_first() -> None:
    syn = packet(flags=SYN)
    table = table_of([reply(syn, tcp_flags=SYN | ACK), syn])
    assert table.orig_addr[0, 3] == 1
    assert DIRECTION_BASES[table.direction_basis[0]] == "syn"


def test_without_a_handshake_the_listening_port_is_the_responder() -> None:
    listening = {"tcp": np.zeros(65536, bool), "udp": np.zeros(65536, bool)}
    listening["tcp"][8600] = True
    table = table_of([packet(src=9, sport=8600, dst=1, dport=50123, payload=10)], listening)
    assert (table.orig_addr[0, 3], table.resp_port[0]) == (1, 8600)
    assert DIRECTION_BASES[table.direction_basis[0]] == "service_port"


def test_without_a_handshake_an_endpoint_with_two_peers_is_the_responder() -> None:
    table = table_of([packet(src=9, sport=40001, dst=d, dport=40000 + d, payload=1) for d in (1, 2)])
    assert set(table.resp_addr[:, 3].tolist()) == {9}
    assert {DIRECTION_BASES[b] for b in table.direction_basis} == {"fan_in"}


def test_who_sends_to_a_group_is_the_originator() -> None:
    group = 0xE1050A01
    table = table_of([packet(src=3, sport=9, dst=group, dport=1025, proto=17)])
    assert DIRECTION_BASES[table.direction_basis[0]] == "group"
    assert table.resp_addr[0, 3] == group


@pytest.mark.parametrize(
    ("expected", "packets"),
    [
        ("attempt", [packet(flags=SYN)]),
        ("refused", [packet(flags=SYN), reply(packet(flags=RST | ACK))]),
        ("syn_ack_only", [packet(flags=SYN), reply(packet(flags=SYN | ACK))]),
        ("established", [packet(flags=SYN), reply(packet(flags=SYN | ACK)), packet()]),
        ("established", [packet(flags=SYN), packet(payload=10)]),
        ("reset", [packet(flags=SYN), reply(packet(flags=SYN | ACK)), packet(), reply(packet(flags=RST))]),
        ("half_closed", [packet(flags=SYN), reply(packet(flags=SYN | ACK)), packet(flags=FIN | ACK)]),
        (
            "closed",
            [
                packet(flags=SYN),
                reply(packet(flags=SYN | ACK)),
                packet(flags=FIN | ACK),
                reply(packet(flags=FIN | ACK)),
            ],
        ),
        ("midstream", [packet(payload=3)]),
        ("midstream_reset", [packet(payload=3), reply(packet(flags=RST))]),
        ("midstream_closed", [packet(flags=FIN | ACK), reply(packet(flags=FIN | ACK))]),
    ],
)
def test_tcp_state(expected: str, packets: list[dict[str, int]]) -> None:
    assert state_of(*packets) == expected


def fragments(ident: int, parts: int = 3, **more: int) -> list[dict[str, int]]:
    first = packet(5, 6000, 6, 3333, proto=17, payload=1472, frag_id=ident, frag_more=1, **more)
    rest = [
        {
            **first,
            "src_port": 0,
            "dst_port": 0,
            "frag_offset": 1480 * k,
            "frag_more": int(k < parts - 1),
            "payload": 1480,
        }
        for k in range(1, parts)
    ]
    return [first, *rest]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0], [0, 1, 1, 2]])
@pytest.mark.parametrize("compiled", [False, True])
def test_later_fragments_follow_their_first_in_any_order(order: list[int], compiled: bool) -> None:
    pieces = fragments(42)
    rows = rows_of([pieces[k] for k in order])
    flows, _ = tallied(rows, compiled=compiled, step=1).finish()
    assert len(flows) == 1
    assert (flows["a_port"][0], flows["b_port"][0], flows["a_packets"][0]) == (6000, 3333, len(order))


def test_fragments_whose_first_never_comes_are_counted_once_without_ports() -> None:
    rows = rows_of(fragments(1)[1:] + fragments(2)[1:])
    table = finish_flows(tallied(rows).finish()[0], NOTHING_LISTENS)[0]
    assert (len(table), table.packets.sum(), table.wire.sum()) == (1, 4, rows["wire"].sum())
    assert table.unresolved.all()


def test_an_identification_used_again_after_the_timeout_is_another_datagram() -> None:
    old = fragments(7)[:1]
    late = [{**p, "ts_ns": START + 31 * SECOND_NS} for p in fragments(7)[1:]]
    table = finish_flows(tallied(rows_of(old + late)).finish()[0], NOTHING_LISTENS)[0]
    assert sorted(table.packets.tolist()) == [1, 2]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_flood_of_fragments_that_never_complete_stays_bounded_and_loses_nothing(compiled: bool) -> None:
    count = 40_000 if compiled else 1_500
    rows = np.repeat(rows_of(fragments(1)[1:2]), count)
    rows["frag_id"] = np.arange(count)
    rows["record"] = np.arange(1, count + 1)
    tally = tallied(rows, compiled=compiled)
    assert len(tally.held) <= 16_384
    flows, bins = tally.finish()
    assert flows["a_packets"].sum() == bins["packets"].sum() == count


def test_beyond_the_cap_on_flows_packets_are_counted_together() -> None:
    rows = rows_of([packet(src=i, payload=i) for i in range(1, 50)])
    tally = tallied(rows, max_flows=10)
    flows, bins = tally.finish()
    assert len(flows) <= 12
    assert flows["a_packets"].sum() + flows["b_packets"].sum() == 49
    assert bins["a_wire"].sum() + bins["b_wire"].sum() == rows["wire"].sum()


def test_too_many_bins_become_wider_and_keep_their_sums() -> None:
    rows = np.repeat(rows_of([packet(payload=100)]), 30_000)
    rows["ts_ns"] = START + np.arange(30_000) * SECOND_NS
    tally = tallied(rows, compiled=True, step=500, max_bins=9_000)
    bins = join_bins(tally.finish()[1], tally.bin_width_ns)
    assert tally.bin_width_ns > SECOND_NS
    assert (bins["bin_ns"] % tally.bin_width_ns == 0).all()
    assert bins["packets"].sum() == 30_000
    assert bins["a_wire"].sum() == rows["wire"].sum()


def test_times_that_run_backwards_give_one_bin_each() -> None:
    rows = rows_of([packet(ms=ms) for ms in (5000, 100, 5001, 101, 0)])
    flows, bins = tallied(rows).finish()
    assert sorted(join_bins(bins, SECOND_NS)["packets"].tolist()) == [2, 3]
    assert flows["last_ns"][0] - flows["first_ns"][0] == 5001 * 1_000_000


def test_frames_without_ip_are_link_rows() -> None:
    frames = [packet(0, 0, 0, 0, proto=LINK_PROTO + 3, version=0) for _ in range(4)]
    flows, links = finish_flows(tallied(rows_of(frames)).finish()[0], NOTHING_LISTENS)
    assert len(flows) == 0
    assert (links.code.tolist(), links.packets.tolist()) == ([3], [4])


def test_join_bins_of_nothing_is_nothing() -> None:
    assert len(join_bins(tallied(rows_of([])).bins[:0], SECOND_NS)) == 0
