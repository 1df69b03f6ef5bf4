"""The common frame in one go: Ethernet, up to two VLAN tags, IPv4 or IPv6 without options, TCP or UDP, all whole.

In: a record's place. Out: its PACKET row (all but time and lengths), or False for every other frame, which
`packet.decode_layers` then takes. What is decoded here comes out the same there, only slower.
"""

from __future__ import annotations

from typing import Any

from classifier.columns import NO_VLAN
from classifier.decode.fields import be16, be32, be48
from classifier.decode.layers import DONE, E_NONE, E_VLAN, LAYER_BITS
from classifier.decode.tunnels import udp_tunnel
from classifier.jit import i64, kernel

_TCP = 6
_UDP = 17
_TWO_TAGS = E_VLAN << LAYER_BITS | E_VLAN
_SHORTEST = 42  # Ethernet, IPv4, UDP: everything that is read before the next check


@kernel
def decode_simple(buffer: Any, at: int, captured: int, row: Any) -> bool:
    """Fill the row of a simple frame at `at`; False: it is not one, and the row is not filled."""
    if captured < _SHORTEST:
        return False
    end = at + captured
    ethertype = be16(buffer, at + 12)
    ip_at = at + 14
    vlan = NO_VLAN
    encap = E_NONE
    if ethertype in (0x8100, 0x88A8):
        vlan = be16(buffer, at + 14) & 0x0FFF
        ethertype = be16(buffer, at + 16)
        ip_at = at + 18
        encap = E_VLAN
        if ethertype == 0x8100:
            vlan = be16(buffer, at + 18) & 0x0FFF
            ethertype = be16(buffer, at + 20)
            ip_at = at + 22
            encap = _TWO_TAGS
    if ethertype == 0x0800:
        if not simple_ipv4(buffer, ip_at, end, row):
            return False
    elif ethertype == 0x86DD:
        if not simple_ipv6(buffer, ip_at, end, row):
            return False
    else:
        return False
    row["encap"] = encap
    row["vlan"] = vlan
    row["src_mac"] = be48(buffer, at + 6)
    row["dst_mac"] = be48(buffer, at)
    row["frag_offset"] = 0
    row["frag_more"] = 0
    row["around"] = 0
    row["icmp_type"] = 0
    row["icmp_code"] = 0
    row["stop"] = 0
    row["hint"] = 0
    row["opaque"] = 0
    return True


@kernel
def simple_ipv4(buffer: Any, at: int, end: int, row: Any) -> bool:
    """IPv4 of 20 bytes, no fragment, and its TCP or UDP header."""
    if end - at < 28 or i64(buffer[at]) != 0x45 or be16(buffer, at + 6) & 0x3FFF != 0:
        return False
    total = be16(buffer, at + 2)
    if not simple_transport(buffer, i64(buffer[at + 9]), at + 20, end, at + total, row):
        return False
    row["ip"] = total
    row["src0"] = 0
    row["src1"] = 0
    row["src2"] = 0
    row["src3"] = be32(buffer, at + 12)
    row["dst0"] = 0
    row["dst1"] = 0
    row["dst2"] = 0
    row["dst3"] = be32(buffer, at + 16)
    row["frag_id"] = be16(buffer, at + 4)
    row["version"] = 4
    row["ttl"] = buffer[at + 8]
    return True


@kernel
def simple_ipv6(buffer: Any, at: int, end: int, row: Any) -> bool:
    """IPv6 followed at once by its TCP or UDP header."""
    if end - at < 48 or i64(buffer[at]) >> 4 != 6:
        return False
    total = 40 + be16(buffer, at + 4)
    if not simple_transport(buffer, i64(buffer[at + 6]), at + 40, end, at + total, row):
        return False
    row["ip"] = total
    row["src0"] = be32(buffer, at + 8)
    row["src1"] = be32(buffer, at + 12)
    row["src2"] = be32(buffer, at + 16)
    row["src3"] = be32(buffer, at + 20)
    row["dst0"] = be32(buffer, at + 24)
    row["dst1"] = be32(buffer, at + 28)
    row["dst2"] = be32(buffer, at + 32)
    row["dst3"] = be32(buffer, at + 36)
    row["frag_id"] = 0
    row["version"] = 6
    row["ttl"] = buffer[at + 7]
    return True


@kernel
def simple_transport(buffer: Any, protocol: int, at: int, end: int, limit: int, row: Any) -> bool:
    """TCP or UDP that is whole and no tunnel; the caller has seen 8 bytes of it."""
    if protocol == _UDP:
        header = 8
        if limit - at < header or udp_tunnel(be16(buffer, at), be16(buffer, at + 2)) != DONE:
            return False
        row["seq"] = 0
        row["ack"] = 0
        row["window"] = 0
        row["tcp_flags"] = 0
    elif protocol == _TCP:
        if end - at < 20:
            return False
        header = (i64(buffer[at + 12]) >> 4) * 4
        if header < 20 or limit - at < header or end - at < header:
            return False
        row["seq"] = be32(buffer, at + 4)
        row["ack"] = be32(buffer, at + 8)
        row["tcp_flags"] = buffer[at + 13]
        row["window"] = be16(buffer, at + 14)
    else:
        return False
    row["proto"] = protocol
    row["src_port"] = be16(buffer, at)
    row["dst_port"] = be16(buffer, at + 2)
    row["payload"] = limit - at - header
    row["payload_at"] = at + header
    row["payload_captured"] = min(end, limit) - at - header
    return True
