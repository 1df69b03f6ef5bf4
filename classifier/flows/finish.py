"""Originator, responder and TCP state: from tally rows to the flow table.

In: FLOW rows and the ports that services listen on. Out: `FlowTable` (flows with IP, in order of their first packet)
and `LinkTable` (frames without IP). Next: `classifier.matching`.

Who is the originator, first that applies: the sender of a SYN; who a SYN-ACK went to; whoever sends to a group; who
asks, or whom the other side answers (TCP payloads); the side opposite a port that exactly one side has and that a
service listens on; for TCP without a handshake the side opposite an endpoint with two or more remote endpoints, then
the side opposite the lower port outside every ephemeral range; else the sender of the first packet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.arrays import distinct
from classifier.columns import (
    LINK_PROTO,
    SEEN_A_ACK,
    SEEN_B_ACK,
    SEEN_UNRESOLVED,
    TCP_FIN,
    TCP_RST,
)
from classifier.decode.hints import (
    DIGIFORT,
    HTTP_REPLY,
    HTTP_REQUEST,
    RTSP_REPLY,
    RTSP_REQUEST,
    TDS_REPLY,
    TDS_REQUEST,
    hint_bit,
)
from classifier.flows.rows import blocks, columns
from classifier.flows.table import DIRECTION_BASES, TCP_STATES, FlowTable, LinkTable, is_group

Array = npt.NDArray[Any]

_TCP, _UDP = 6, 17
_ASKING = (HTTP_REQUEST, RTSP_REQUEST, TDS_REQUEST)
_ANSWERING = (HTTP_REPLY, RTSP_REPLY, TDS_REPLY)
"""What only the side that opened a connection says, and what only the other does."""

_ENDS = ("orig", "resp")
_OF_SIDES = ("port", "packets", "wire", "ip", "payload", "mac", "ttl", "syns", "synacks", "flags", "hints")
_PLAIN = (
    *("vlan", "encap", "first_ns", "last_ns", "captured", "syn_ns", "synack_ns", "fragments", "stopped", "capture"),
    *("first_record", "seen"),
)
_DECIDING = (
    *("version", "proto", "a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3", "a_port", "b_port"),
    *("a_syns", "b_syns", "a_synacks", "b_synacks", "a_hints", "b_hints"),
)
"""Fields of FLOW rows: of each side, those that the table takes over, those that tell who is the originator."""


def finish_flows(rows: Array, listening: Mapping[str, Array]) -> tuple[FlowTable, LinkTable]:
    """Tables of finished FLOW rows.

    `listening`: per transport ("tcp", "udp") 65,536 bools, true where a service is known to listen.
    """
    with_ip = np.flatnonzero(rows["proto"] < LINK_PROTO)
    order = with_ip[np.lexsort((rows["first_record"][with_ip], rows["capture"][with_ip], rows["first_ns"][with_ip]))]
    links = np.flatnonzero(rows["proto"] >= LINK_PROTO)
    links = links[np.argsort(rows["proto"][links], kind="stable")]
    f = columns(rows, order, _DECIDING)
    a_addr = np.stack([f[f"a{k}"] for k in range(4)], axis=1)
    b_addr = np.stack([f[f"b{k}"] for k in range(4)], axis=1)
    turned, basis = _direction(f, a_addr, b_addr, listening)
    sides = _sides(rows, order, turned)
    plain = columns(rows, order, _PLAIN)
    flows = FlowTable(
        version=f["version"],
        proto=f["proto"],
        orig_addr=np.where(turned[:, None], b_addr, a_addr),
        resp_addr=np.where(turned[:, None], a_addr, b_addr),
        direction_basis=basis,
        tcp_state=_tcp_state(f["proto"], plain["seen"], sides, turned),
        unresolved=(plain.pop("seen") & SEEN_UNRESOLVED) != 0,
        evidence=np.zeros(len(order), "i8"),
        row=order.astype("i4"),
        turned=turned,
        **plain,
        **sides,
    )
    frames = rows[links]
    table = LinkTable(
        code=frames["proto"] - LINK_PROTO,
        packets=frames["a_packets"] + frames["b_packets"],
        wire=frames["a_wire"] + frames["b_wire"],
        captured=frames["captured"].copy(),
        stopped=frames["stopped"].copy(),
        first_ns=frames["first_ns"].copy(),
        last_ns=frames["last_ns"].copy(),
        row=links.astype("i4"),
    )
    return flows, table


def _sides(rows: Array, which: Array, turned: Array) -> dict[str, Array]:
    """The fields of both sides of the chosen rows: `orig_NAME` and `resp_NAME`."""
    out = {f"{end}_{name}": np.empty(len(which), rows.dtype[f"a_{name}"]) for name in _OF_SIDES for end in _ENDS}
    for part, block in blocks(rows, which):
        swap = turned[part]
        for name in _OF_SIDES:
            a, b = block[f"a_{name}"], block[f"b_{name}"]
            out[f"orig_{name}"][part] = np.where(swap, b, a)
            out[f"resp_{name}"][part] = np.where(swap, a, b)
    return out


def _direction(
    f: Mapping[str, Array], a_addr: Array, b_addr: Array, listening: Mapping[str, Array]
) -> tuple[Array, Array]:
    """`(turned, basis)`: whether side B is the originator, and on what that rests (index into DIRECTION_BASES)."""
    n = len(a_addr)
    turned = np.zeros(n, bool)
    basis = np.full(n, DIRECTION_BASES.index("first_packet"), "u1")
    open_ = np.ones(n, bool)

    def decide(mask: Array, b_is_originator: Array, name: str) -> None:
        chosen = open_ & mask
        turned[chosen] = b_is_originator[chosen] if isinstance(b_is_originator, np.ndarray) else b_is_originator
        basis[chosen] = DIRECTION_BASES.index(name)
        open_[chosen] = False

    tcp, udp = f["proto"] == _TCP, f["proto"] == _UDP
    a_syn, b_syn = f["a_syns"] > 0, f["b_syns"] > 0
    decide(tcp & (a_syn != b_syn), b_syn, "syn")
    decide(tcp & a_syn & b_syn, np.zeros(n, bool), "syn")  # simultaneous open: the first packet
    a_synack, b_synack = f["a_synacks"] > 0, f["b_synacks"] > 0
    decide(tcp & (a_synack != b_synack), a_synack, "syn_ack")

    a_group, b_group = is_group(a_addr, f["version"]), is_group(b_addr, f["version"])
    decide(b_group & ~a_group, np.zeros(n, bool), "group")

    a_asks, b_asks = _speaks(f["a_hints"], _ASKING), _speaks(f["b_hints"], _ASKING)
    a_answers = _speaks(f["a_hints"], _ANSWERING) | _serves_frames(f["a_hints"], f["a_port"], f["b_port"])
    b_answers = _speaks(f["b_hints"], _ANSWERING) | _serves_frames(f["b_hints"], f["b_port"], f["a_port"])
    a_opens, b_opens = a_asks | b_answers, b_asks | a_answers
    decide(tcp & (a_opens != b_opens), b_opens, "content")

    for mask, transport in ((tcp, "tcp"), (udp, "udp")):
        a_listens, b_listens = listening[transport][f["a_port"]], listening[transport][f["b_port"]]
        decide(mask & (a_listens != b_listens), a_listens, "service_port")

    left = np.flatnonzero(open_ & tcp)
    if len(left):
        a_fan, b_fan = _fan_in(a_addr[left], f["a_port"][left], b_addr[left], f["b_port"][left])
        some = np.zeros(n, bool)
        b_first = np.zeros(n, bool)
        some[left] = a_fan != b_fan
        b_first[left] = a_fan
        decide(some, b_first, "fan_in")
        a_port, b_port = f["a_port"], f["b_port"]
        lower = np.minimum(a_port, b_port)
        apart = (a_port != b_port) & ~_ephemeral(lower)
        decide(tcp & apart, a_port < b_port, "port_order")
    return turned, basis


def _speaks(said: Array, codes: tuple[int, ...]) -> Array:
    """Rows in which one side sent a payload of one of these hints."""
    spoke: Array = (said & sum(hint_bit(code) for code in codes)) != 0
    return spoke


def _serves_frames(said: Array, port: Array, other: Array) -> Array:
    """Rows in which a side may be the server of the Digifort frames that it sent.

    The server speaks first, but its clients use frames as well: without the handshake, one that speaks from an
    ephemeral port to one that is not is the client.
    """
    serves: Array = _speaks(said, (DIGIFORT,)) & ~(_ephemeral(port) & ~_ephemeral(other))
    return serves


def _ephemeral(port: Array) -> Array:
    """Inside some default ephemeral range: Windows 2000/2003 1024-5000, Linux 32768-60999, IANA 49152-65535."""
    return ((port >= 1024) & (port <= 5000)) | (port >= 32768)


def _fan_in(a_addr: Array, a_port: Array, b_addr: Array, b_port: Array) -> tuple[Array, Array]:
    """For each row: whether endpoint A, and endpoint B, met two or more distinct remote endpoints."""
    words = np.concatenate([a_addr, b_addr]).astype("u8")
    high, low = (words[:, k] << np.uint64(32) | words[:, k + 1] for k in (0, 2))
    port = np.concatenate([a_port, b_port])
    order = np.lexsort((port, low, high))
    high, low, port = high[order], low[order], port[order]
    new = (high[1:] != high[:-1]) | (low[1:] != low[:-1]) | (port[1:] != port[:-1])
    ids = np.zeros(len(order), "i8")
    ids[order[1:]] = np.cumsum(new)
    a, b = ids[: len(a_port)], ids[len(a_port) :]
    top = int(ids.max()) + 1
    pairs = distinct(np.concatenate([a * top + b, b * top + a]))
    many = np.bincount(pairs // top, minlength=top) >= 2
    return many[a], many[b]


def _tcp_state(proto: Array, seen: Array, sides: Mapping[str, Array], turned: Array) -> Array:
    """Index into TCP_STATES per row."""
    orig_ack = np.where(turned, seen & SEEN_B_ACK, seen & SEEN_A_ACK) != 0
    syn = sides["orig_syns"] > 0
    synack = sides["resp_synacks"] > 0
    orig_flags, resp_flags = sides["orig_flags"], sides["resp_flags"]
    fins = ((orig_flags & TCP_FIN) != 0).astype("u1") + ((resp_flags & TCP_FIN) != 0)
    orig_rst, resp_rst = (orig_flags & TCP_RST) != 0, (resp_flags & TCP_RST) != 0
    reset = orig_rst | resp_rst
    open_ = (syn | synack) & orig_ack  # an ACK of the originator proves the SYN-ACK, seen or not
    names = [
        ("", proto != _TCP),
        ("closed", open_ & (fins == 2)),
        ("reset", open_ & reset),
        ("half_closed", open_ & (fins == 1)),
        ("established", open_),
        ("reset", synack & reset),
        ("syn_ack_only", synack),
        ("refused", syn & resp_rst),
        ("attempt", syn),
        ("midstream_closed", fins == 2),
        ("midstream_reset", reset),
    ]
    return np.select(
        [mask for _, mask in names], [TCP_STATES.index(name) for name, _ in names], TCP_STATES.index("midstream")
    ).astype("u1")
