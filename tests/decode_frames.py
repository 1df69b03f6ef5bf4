"""Frames for the decoder's tests: built by scapy where it knows the layer, by hand where it does not.

`VECTORS` holds one frame per layer and tunnel with what a decoder must say of it; `decode` runs the kernels over
frames, either speed, and returns plain dictionaries.
"""

from __future__ import annotations

import logging
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)

from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III  # noqa: E402
from scapy.contrib.geneve import GENEVE  # noqa: E402
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer  # noqa: E402
from scapy.contrib.lldp import (  # noqa: E402
    LLDPDUChassisID,
    LLDPDUEndOfLLDPDU,
    LLDPDUPortID,
    LLDPDUTimeToLive,
)
from scapy.contrib.mpls import MPLS  # noqa: E402
from scapy.contrib.nsh import NSH  # noqa: E402
from scapy.contrib.tzsp import TZSP, TZSPTagEnd, TZSPTagPadding, TZSPTagRawRSSIByte  # noqa: E402
from scapy.layers.dot11 import (  # noqa: E402
    Dot11,
    Dot11Beacon,
    Dot11Elt,
    Dot11QoS,
    PrismHeader,
    RadioTap,
)
from scapy.layers.eap import EAPOL  # noqa: E402
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, UDPerror  # noqa: E402
from scapy.layers.inet6 import (  # noqa: E402
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    Jumbo,
    PadN,
)
from scapy.layers.ipsec import AH, ESP  # noqa: E402
from scapy.layers.l2 import (  # noqa: E402
    ARP,
    GRE,
    GRE_PPTP,
    LLC,
    SNAP,
    STP,
    CookedLinux,
    CookedLinuxV2,
    Dot1AD,
    Dot1Q,
    Dot3,
    Ether,
    Loopback,
)
from scapy.layers.ppi import PPI  # noqa: E402
from scapy.layers.ppp import HDLC, PPP, PPP_LCP_Echo, PPPoE, PPPoED  # noqa: E402
from scapy.layers.sctp import SCTP  # noqa: E402
from scapy.layers.vxlan import VXLAN  # noqa: E402
from scapy.packet import Packet, Raw  # noqa: E402

from classifier.columns import PACKET, RECORD, encapsulation_name  # noqa: E402
from classifier.decode import STOPS, protocol_name  # noqa: E402
from classifier.flows.table import address_text  # noqa: E402
from classifier.jit import speed, view  # noqa: E402

ETHERNET, RAW, COOKED1, COOKED2, NULL, LOOP = 1, 101, 113, 276, 0, 108

BODY = b"0123456789"
OUTER_MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
INNER_MACS = {"src": "02:00:00:00:0a:01", "dst": "02:00:00:00:0a:02"}
A, B = "10.1.1.1", "10.2.2.2"
A6, B6 = "2001:db8::1", "2001:db8::2"
OUTER_A, OUTER_B = "192.0.2.1", "192.0.2.2"

eth = Ether(**OUTER_MACS)
inner_eth = Ether(**INNER_MACS)
udp = IP(src=A, dst=B) / UDP(sport=4000, dport=5000) / Raw(BODY)
tcp = IP(src=A, dst=B) / TCP(sport=40000, dport=8600, seq=7, ack=9, flags="PA", window=512) / Raw(BODY)
udp6 = IPv6(src=A6, dst=B6) / UDP(sport=4000, dport=5000) / Raw(BODY)
outer = eth / IP(src=OUTER_A, dst=OUTER_B)

UDP_FIELDS = {"proto": "udp", "src": A, "dst": B, "src_port": 4000, "dst_port": 5000, "payload": 10, "ip": 38}
TCP_FIELDS = {
    "proto": "tcp",
    "src": A,
    "dst": B,
    "src_port": 40000,
    "dst_port": 8600,
    "payload": 10,
    "ip": 50,
    "seq": 7,
    "ack": 9,
    "tcp_flags": 0x18,
    "window": 512,
}
UDP6_FIELDS = {**UDP_FIELDS, "src": A6, "dst": B6, "ip": 58}


@dataclass(frozen=True)
class Vector:
    """A frame and the fields that decoding it must give; `limit`: original length when it is not the frame's."""

    name: str
    link: int
    data: bytes
    expect: dict[str, Any] = field(default_factory=dict)
    wire: int = 0

    def __str__(self) -> str:
        return self.name


def number(mac: str) -> int:
    return int(mac.replace(":", ""), 16)


def records_of(frames: list[tuple[int, bytes, int]]) -> tuple[bytes, Any]:
    """`(link, data, wire)` triples as a buffer and RECORD rows."""
    records = np.zeros(len(frames), RECORD)
    at = 0
    for record, (link, data, wire) in zip(records, frames, strict=True):
        record["offset"], record["captured"], record["wire"], record["link"] = at, len(data), wire or len(data), link
        record["ts_ns"] = at
        at += len(data)
    return b"".join(data for _, data, _ in frames), records


def decode_rows(frames: list[tuple[int, bytes, int]], compiled: bool) -> Any:
    """PACKET rows of frames. The rows start out dirty: a decoder that leaves a field alone shows."""
    buffer, records = records_of(frames)
    packets = np.zeros(len(frames), PACKET)
    packets.view(np.uint8)[:] = 0xA5
    packets["record"] = packets["capture"] = 0
    # a byte more than nothing: numba cannot look at an empty buffer
    speed(compiled).decode_batch(view(buffer or b"\0", compiled), records, len(frames), packets)
    return packets


def as_dict(row: Any) -> dict[str, Any]:
    """One PACKET row in words."""
    result = {name: int(row[name]) for name in PACKET.names or ()}
    version = result["version"]
    for side in ("src", "dst"):
        words = [result.pop(f"{side}{i}") for i in range(4)]
        result[side] = address_text(words, version) if version else ""
        assert version or not any(words)
    result["proto"] = protocol_name(result["proto"])
    result["encap"] = encapsulation_name(result["encap"])
    result["stop"] = STOPS[result["stop"]]
    return result


def decode(link: int, data: bytes, wire: int = 0, compiled: bool = False) -> dict[str, Any]:
    """What the decoder says of one frame."""
    return as_dict(decode_rows([(link, data, wire)], compiled)[0])


def rows_equal(left: Any, right: Any) -> bool:
    """Field by field (padding between fields does not count)."""
    return all(np.array_equal(left[name], right[name]) for name in PACKET.names or ())


def _llc_snap(ethertype: int) -> bytes:
    return b"\xaa\xaa\x03\x00\x00\x00" + struct.pack(">H", ethertype)


def _vector(name: str, link: int, frame: Packet | bytes, expect: dict[str, Any], **more: Any) -> Vector:
    wire = more.pop("wire", 0)
    return Vector(name, link, bytes(frame), {"stop": "", "encap": "", "opaque": 0, **expect, **more}, wire)


def _ethernet_vectors() -> list[Vector]:
    arp = ARP(psrc=A, pdst=B)
    bpdu = Dot3(dst="01:80:c2:00:00:00") / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP()
    cdp = Dot3(dst="01:00:0c:cc:cc:cc") / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0xC, code=0x2000) / Raw(BODY)
    lldp = (
        Ether(dst="01:80:c2:00:00:0e", type=0x88CC)
        / LLDPDUChassisID(subtype=4, id=b"\x02\0\0\0\0\1")
        / LLDPDUPortID(subtype=7, id=b"1")
        / LLDPDUTimeToLive(ttl=120)
        / LLDPDUEndOfLLDPDU()
    )
    macs = {"src_mac": number(OUTER_MACS["src"]), "dst_mac": number(OUTER_MACS["dst"]), "vlan": -1}
    lan = [
        ("ethernet udp", eth / udp, {**UDP_FIELDS, **macs, "ttl": 64, "version": 4}),
        ("ethernet tcp", eth / tcp, {**TCP_FIELDS, **macs}),
        ("ethernet ipv6 udp", eth / udp6, {**UDP6_FIELDS, **macs, "version": 6}),
        ("padding", bytes(eth / udp) + bytes(20), UDP_FIELDS),
        ("vlan", eth / Dot1Q(vlan=12, prio=5) / udp, {**UDP_FIELDS, "vlan": 12, "encap": "vlan"}),
        ("qinq", eth / Dot1AD(vlan=7) / Dot1Q(vlan=12) / tcp, {**TCP_FIELDS, "vlan": 12, "encap": "vlan+vlan"}),
        (
            "three tags",
            eth / Dot1Q(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / udp6,
            {**UDP6_FIELDS, "vlan": 3, "encap": "vlan+vlan+vlan"},
        ),
        ("arp", eth / arp, {"proto": "arp", "src": "", "ip": 0, "payload": 0, **macs}),
        ("arp in vlan", eth / Dot1Q(vlan=9) / arp, {"proto": "arp", "vlan": 9, "encap": "vlan"}),
        ("stp", bpdu, {"proto": "stp"}),
        ("cdp", cdp, {"proto": "cdp"}),
        ("lldp", lldp, {"proto": "lldp"}),
        ("eapol", eth / EAPOL(type=1), {"proto": "eapol"}),
        ("lacp", Ether(type=0x8809) / Raw(b"\x01\x01" + bytes(108)), {"proto": "lacp"}),
        ("unknown", Ether(type=0x1234) / Raw(BODY), {"proto": "link"}),
        ("snap", Dot3() / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x800) / udp, UDP_FIELDS),
        ("novell", Dot3(len=40) / Raw(b"\xff\xff" + bytes(38)), {"proto": "ipx"}),
        ("isis", Dot3() / LLC(dsap=0xFE, ssap=0xFE, ctrl=3) / Raw(b"\x83" + bytes(20)), {"proto": "isis"}),
    ]
    tags = [
        ("hsr", struct.pack(">HHHH", 0x892F, 60, 1, 0x0800) + bytes(udp), UDP_FIELDS, "other"),
        ("vntag", struct.pack(">HIH", 0x8926, 0, 0x0800) + bytes(udp), UDP_FIELDS, "other"),
        ("etag", struct.pack(">HIHH", 0x893F, 0, 0, 0x0800) + bytes(udp), UDP_FIELDS, "other"),
        ("cisco metadata", struct.pack(">HBBHHH", 0x8909, 1, 1, 1, 5, 0x0800) + bytes(udp), UDP_FIELDS, "other"),
        ("pbb", struct.pack(">HI", 0x88E7, 77) + bytes(inner_eth / udp), UDP_FIELDS, "pbb"),
        ("fabricpath", struct.pack(">HH", 0x8903, 32) + bytes(inner_eth / udp), UDP_FIELDS, "pbb"),
        ("trill", struct.pack(">HHHH", 0x22F3, 5, 1, 2) + bytes(inner_eth / udp), UDP_FIELDS, "other"),
    ]
    macs12 = bytes(eth)[:12]
    signed = struct.pack(">HBBI", 0x88E5, 0, 0, 1) + b"\x08\x00" + bytes(udp) + bytes(16)
    sealed = struct.pack(">HBBI", 0x88E5, 0x0C, 0, 1) + bytes(40)
    return [
        *(_vector(name, ETHERNET, frame, fields) for name, frame, fields in lan),
        *(_vector(name, ETHERNET, macs12 + tail, fields, encap=encap) for name, tail, fields, encap in tags),
        _vector("macsec, signed only", ETHERNET, macs12 + signed, UDP_FIELDS, encap="macsec"),
        _vector("macsec, encrypted", ETHERNET, macs12 + sealed, {"proto": "macsec"}, opaque=1),
    ]


def _ip_vectors() -> list[Vector]:
    pair = {"src": A, "dst": B, "src_port": 0, "dst_port": 0}
    pair6 = {"src": A6, "dst": B6, "src_port": 0, "dst_port": 0}
    ip, ip6 = IP(src=A, dst=B), IPv6(src=A6, dst=B6)
    quoted = IPerror(src="172.16.0.1", dst="172.16.0.2") / UDPerror(sport=1, dport=2)
    options = IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))])
    chain = options / IPv6ExtHdrRouting(addresses=["2001:db8::9"]) / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"")])
    datagram = UDP(sport=4000, dport=5000, len=38) / Raw(BODY * 3)
    jumbo_options = IPv6ExtHdrHopByHop(nh=17, options=[Jumbo(jumboplen=8 + 8 + 70000)])
    jumbo = bytes(IPv6(src=A6, dst=B6, plen=0, nh=0)) + bytes(jumbo_options)
    jumbo += struct.pack(">HHHH", 4000, 5000, 0, 0) + bytes(70000)
    offload = bytearray(bytes(eth / tcp))
    offload[16:18] = b"\0\0"
    offload6 = bytearray(bytes(eth / IPv6(src=A6, dst=B6) / TCP(sport=1, dport=2) / Raw(BODY)))
    offload6[18:20] = b"\0\0"
    cases = [
        ("icmp", ip / ICMP(type=8) / Raw(BODY), {**pair, "proto": "icmp", "icmp_type": 8, "payload": 10}),
        ("icmp error", ip / ICMP(type=3, code=1) / quoted, {**pair, "proto": "icmp", "icmp_type": 3, "icmp_code": 1}),
        ("icmpv6", ip6 / ICMPv6EchoRequest(data=BODY), {**pair6, "proto": "icmpv6", "icmp_type": 128, "payload": 10}),
        (
            "igmp",
            IP(src=A, dst=B, proto=2) / Raw(b"\x16\0\0\0\xe1\5\x0a\1"),
            {**pair, "proto": "igmp", "icmp_type": 0x16},
        ),
        ("sctp", ip / SCTP(sport=1, dport=2), {"proto": "sctp", "src_port": 1, "dst_port": 2}),
        ("esp", ip / ESP(spi=1, data=BODY), {**pair, "proto": "esp", "opaque": 1, "payload": 18}),
        ("ospf", IP(src=A, dst=B, proto=89) / Raw(BODY), {**pair, "proto": "ospf", "payload": 10}),
        ("no name", IP(src=A, dst=B, proto=200) / Raw(BODY), {**pair, "proto": "ip-proto 200", "payload": 10}),
        ("options", IP(src=A, dst=B, options=[b"\x94\x04\0\0"]) / UDP(sport=1, dport=2), {"src_port": 1, "payload": 0}),
        (
            "ah",
            ip / AH(spi=1, icv=bytes(12), payloadlen=4, nh=17) / UDP(sport=1, dport=2) / Raw(BODY),
            {"proto": "udp", "payload": 10},
        ),
        (
            "ipv6 chain",
            ip6 / chain / UDP(sport=4000, dport=5000) / Raw(BODY),
            {"proto": "udp", "src": A6, "payload": 10},
        ),
        (
            "ipv6 first fragment",
            ip6 / IPv6ExtHdrFragment(offset=0, m=1, id=77) / datagram,
            {**pair6, "proto": "udp", "src_port": 4000, "dst_port": 5000, "frag_id": 77, "frag_more": 1, "payload": 30},
        ),
        (
            "ipv6 later fragment",
            ip6 / IPv6ExtHdrFragment(offset=5, m=0, id=77, nh=17) / Raw(BODY),
            {**pair6, "proto": "udp", "frag_id": 77, "frag_offset": 40, "frag_more": 0, "payload": 10},
        ),
        (
            "first fragment",
            IP(src=A, dst=B, id=5, flags="MF") / datagram,
            {**pair, "proto": "udp", "src_port": 4000, "dst_port": 5000, "frag_id": 5, "frag_more": 1, "payload": 30},
        ),
        (
            "later fragment",
            IP(src=A, dst=B, id=5, frag=3, proto=17) / Raw(b"\x12\xb5\x12\xb5" + BODY),
            {**pair, "proto": "udp", "frag_id": 5, "frag_offset": 24, "payload": 14},
        ),
        ("jumbogram", jumbo, {"proto": "udp", "src": A6, "src_port": 4000, "payload": 70000, "ip": 70056}),
    ]
    encap = {"ah": "ah"}
    return [
        *(_vector(name, RAW, packet, fields, encap=encap.get(name, "")) for name, packet, fields in cases),
        _vector("offload", ETHERNET, bytes(offload), TCP_FIELDS),
        _vector("offload ipv6", ETHERNET, bytes(offload6), {"proto": "tcp", "payload": 10, "ip": 70}),
    ]


def _link_vectors() -> list[Vector]:
    nlpid = b"\x03\xcc"
    nflog = struct.pack(">BBH", 2, 0, 0) + struct.pack("<HHB3x", 5, 3, 1) + struct.pack("<HH", 42, 9) + bytes(udp)
    pktap = struct.pack("<III", 108, 1, 1) + bytes(96) + bytes(eth / udp)
    fddi = b"\x57" + bytes(eth)[:12] + _llc_snap(0x800) + bytes(udp)
    ring = b"\x10\x40" + bytes(eth)[:12] + _llc_snap(0x800) + bytes(udp)
    erf = struct.pack("<Q", 0) + bytes([2, 0]) + bytes(6) + b"\0\0" + bytes(eth / udp)
    families = [(struct.pack("<I", 2), udp, UDP_FIELDS), (struct.pack("<I", 30), udp6, UDP6_FIELDS)]
    swapped = [(struct.pack(">I", 2), udp, UDP_FIELDS), (struct.pack(">I", 24), udp6, UDP6_FIELDS)]
    cases: list[tuple[str, int, Any, dict[str, Any]]] = [
        (
            "cooked",
            COOKED1,
            CookedLinux(lladdrlen=6, src=b"\x02\0\0\0\0\x01\0\0") / udp,
            {**UDP_FIELDS, "src_mac": 0x020000000001},
        ),
        ("cooked ipv6", COOKED1, CookedLinux(proto=0x86DD) / udp6, UDP6_FIELDS),
        ("cooked arp", COOKED1, CookedLinux(proto=0x806) / ARP(), {"proto": "arp"}),
        ("cooked vlan", COOKED1, CookedLinux(proto=0x8100) / Dot1Q(vlan=4) / udp, {**UDP_FIELDS, "vlan": 4}),
        ("cooked llc", COOKED1, CookedLinux(proto=4) / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP(), {"proto": "stp"}),
        (
            "cooked v2",
            COOKED2,
            CookedLinuxV2(lladdrlen=6, src=b"\x02\0\0\0\0\x01\0\0") / udp,
            {**UDP_FIELDS, "src_mac": 0x020000000001},
        ),
        ("cooked v2 tcp", COOKED2, CookedLinuxV2(proto=0x800) / tcp, TCP_FIELDS),
        *((f"null {i}", NULL, head + bytes(packet), fields) for i, (head, packet, fields) in enumerate(families)),
        *(
            (f"null swapped {i}", NULL, head + bytes(packet), fields)
            for i, (head, packet, fields) in enumerate(swapped)
        ),
        *((f"loop {i}", LOOP, head + bytes(packet), fields) for i, (head, packet, fields) in enumerate(swapped)),
        ("loopback of scapy", NULL, Loopback(type=2) / udp, UDP_FIELDS),
        *((f"raw {link}", link, bytes(tcp), TCP_FIELDS) for link in (12, 14, 101, 228)),
        *((f"raw ipv6 {link}", link, bytes(udp6), UDP6_FIELDS) for link in (12, 14, 101, 229)),
        ("ppp", 9, HDLC() / PPP() / udp, UDP_FIELDS),
        ("ppp without address", 9, PPP(proto=0x57) / udp6, UDP6_FIELDS),
        ("ppp short protocol", 9, b"\x21" + bytes(udp), UDP_FIELDS),
        ("ppp lcp", 9, HDLC() / PPP() / PPP_LCP_Echo(), {"proto": "ppp_control"}),
        ("ppp in hdlc", 50, HDLC() / PPP() / tcp, TCP_FIELDS),
        ("cisco in ppp in hdlc", 50, b"\x0f\0\x08\0" + bytes(tcp), TCP_FIELDS),
        ("pppoe link", 51, PPPoE(sessionid=1) / PPP() / udp, {**UDP_FIELDS, "encap": "pppoe"}),
        ("cisco hdlc", 104, b"\x0f\0\x08\0" + bytes(udp), UDP_FIELDS),
        ("cisco hdlc slarp", 104, b"\x8f\0\x80\x35" + bytes(18), {"proto": "slarp"}),
        ("ppp with direction", 204, b"\x01" + bytes(HDLC() / PPP() / udp), UDP_FIELDS),
        ("pppd", 166, b"\x01\x03\0\x21" + bytes(udp), UDP_FIELDS),
        ("slip", 8, bytes(16) + bytes(udp), UDP_FIELDS),
        ("frame relay", 107, b"\x18\x41" + nlpid + bytes(udp), UDP_FIELDS),
        ("frame relay ipv6", 107, b"\x18\x41\x03\x8e" + bytes(udp6), UDP6_FIELDS),
        ("frame relay snap", 107, b"\x18\x41\x03\0\x80" + _llc_snap(0x800)[3:] + bytes(udp), UDP_FIELDS),
        ("frame relay cisco", 107, b"\x18\x41\x08\0" + bytes(tcp), TCP_FIELDS),
        ("frame relay, long address", 107, b"\x18\x40\x40\x41" + nlpid + bytes(udp), UDP_FIELDS),
        ("frame relay lmi", 107, b"\0\x01\x03\x08" + bytes(12), {"proto": "frame_relay_lmi"}),
        ("multilink frame relay", 182, b"\xc0\x01\x18\x41" + nlpid + bytes(udp), UDP_FIELDS),
        ("atm llc", 100, _llc_snap(0x800) + bytes(udp), UDP_FIELDS),
        ("sunatm", 123, b"\x02\0\0\x21" + _llc_snap(0x800) + bytes(udp), UDP_FIELDS),
        ("arcnet", 129, b"\1\2\0\0\xd4\0\0\1" + bytes(udp), UDP_FIELDS),
        ("ipoib", 242, bytes(40) + b"\x08\0\0\0" + bytes(udp), UDP_FIELDS),
        ("fddi", 10, fddi, {**UDP_FIELDS, "src_mac": number(OUTER_MACS["src"])}),
        ("token ring", 6, ring, {**UDP_FIELDS, "src_mac": number(OUTER_MACS["src"])}),
        ("nflog", 239, nflog, UDP_FIELDS),
        ("pflog", 117, b"\x3d\2\0\0" + bytes(60) + bytes(udp), UDP_FIELDS),
        ("enc", 109, struct.pack("<III", 2, 1, 0) + bytes(udp), UDP_FIELDS),
        ("pktap", 258, pktap, UDP_FIELDS),
        ("erf", 197, erf, UDP_FIELDS),
        ("switch tag", 285, bytes(eth)[:12] + b"\xda\xda\0\0\0\0\0\0\x08\0" + bytes(udp), UDP_FIELDS),
        ("mpacket", 274, bytes(8) + bytes(eth / udp), UDP_FIELDS),
        (
            "tzsp link",
            128,
            TZSP(encapsulated_protocol=1) / TZSPTagEnd() / inner_eth / udp,
            {**UDP_FIELDS, "encap": "tzsp"},
        ),
        ("mpls link", 219, MPLS(label=16, s=1) / udp, {**UDP_FIELDS, "encap": "mpls"}),
        ("netlink", 253, bytes(40), {"proto": "netlink"}),
        ("802.15.4", 195, bytes(40), {"proto": "ieee802154"}),
        ("no such link type", 300, bytes(eth / udp), {"proto": "link"}),
        ("link type beyond the table", 70000, bytes(eth / udp), {"proto": "link"}),
    ]
    encap = {"cooked vlan": "vlan"}
    return [
        _vector(name, link, frame, {**({"encap": encap[name]} if name in encap else {}), **fields})
        for name, link, frame, fields in cases
    ]


def _wlan_vectors() -> list[Vector]:
    macs = {"src_mac": number(INNER_MACS["src"]), "dst_mac": number(INNER_MACS["dst"])}
    src, dst, bss = INNER_MACS["src"], INNER_MACS["dst"], "02:00:00:00:00:bb"
    body = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x800) / udp
    up = Dot11(type=2, FCfield="to_DS", addr1=bss, addr2=src, addr3=dst)
    down = Dot11(type=2, FCfield="from_DS", addr1=dst, addr2=bss, addr3=src)
    direct = Dot11(type=2, addr1=dst, addr2=src, addr3=bss)
    bridge = Dot11(type=2, FCfield="to_DS+from_DS", addr1=bss, addr2=bss, addr3=dst, addr4=src)
    quality = Dot11(type=2, subtype=8, FCfield="to_DS", addr1=bss, addr2=src, addr3=dst) / Dot11QoS()
    sealed = Dot11(type=2, FCfield="to_DS+protected", addr1=bss, addr2=src, addr3=dst) / Raw(bytes(40))
    beacon = Dot11(type=0, subtype=8, addr1="ff:ff:ff:ff:ff:ff", addr2=bss, addr3=bss)
    empty = Dot11(type=2, subtype=4, FCfield="to_DS", addr1=bss, addr2=src, addr3=dst)
    subframe = bytes(Ether(**INNER_MACS))[:12] + struct.pack(">H", len(body)) + bytes(body)
    aggregated = bytes(quality)[:24] + b"\x80\0" + subframe
    pad = bytes(-len(subframe) % 4)  # each part but the last ends on four bytes
    other = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x800) / IP(src=B, dst=A) / UDP(sport=6, dport=7)
    second = bytes(Ether(**INNER_MACS))[:12] + struct.pack(">H", len(other)) + bytes(other)
    with_checksum = RadioTap(present="Flags", Flags="FCS") / down / body
    padded = bytes(RadioTap(present="TSFT+Flags", Flags=0x20)) + bytes(quality)[:26] + b"\0\0" + bytes(body)
    named = {**UDP_FIELDS, **macs}
    cases: list[tuple[str, int, Any, dict[str, Any]]] = [
        ("wlan to the system", 105, up / body, named),
        ("wlan from the system", 105, down / body, named),
        ("wlan direct", 105, direct / body, named),
        ("wlan bridge", 105, bridge / body, named),
        ("wlan quality", 105, quality / body, named),
        ("wlan aggregated", 105, aggregated, UDP_FIELDS),
        ("wlan aggregated, two parts", 105, aggregated + pad + second, UDP_FIELDS),
        ("wlan encrypted", 105, sealed, {"proto": "wlan_encrypted", "opaque": 1, **macs}),
        ("wlan beacon", 105, beacon / Dot11Beacon() / Dot11Elt(ID="SSID", info=b"x"), {"proto": "wlan"}),
        ("wlan empty", 105, empty, {"proto": "wlan"}),
        ("radiotap", 127, RadioTap() / up / body, named),
        ("radiotap with checksum", 127, bytes(with_checksum) + bytes(4), named),
        ("radiotap padded", 127, padded, named),
        ("prism", 119, PrismHeader(len=144) / up / body, named),
        ("avs", 163, struct.pack(">II", 0x80211001, 64) + bytes(56) + bytes(up / body), named),
        ("avs as prism", 119, struct.pack(">II", 0x80211001, 64) + bytes(56) + bytes(up / body), named),
        ("ppi", 192, PPI(dlt=105) / up / body, named),
        ("ppi of ethernet", 192, bytes(PPI(dlt=1)) + bytes(inner_eth / udp), named),
    ]
    return [_vector(name, link, frame, fields) for name, link, frame, fields in cases]


def _tunnel_vectors() -> list[Vector]:
    six = IPv6(src="2001:db8:1::1", dst="2001:db8:1::2")
    pw_mac = Ether(src="40:00:00:00:00:01", dst="60:00:00:00:00:02")
    eoip = struct.pack(">HHH", 0x2001, 0x6400, len(inner_eth / udp)) + struct.pack("<H", 5) + bytes(inner_eth / udp)
    erspan1 = outer / GRE(proto=0x88BE) / inner_eth / udp
    erspan2 = outer / GRE(proto=0x88BE, seqnum_present=1, sequence_number=3) / ERSPAN_II(session_id=9) / inner_eth / udp
    erspan3 = outer / GRE(proto=0x22EB, seqnum_present=1) / ERSPAN_III() / inner_eth / udp
    pptp = outer / GRE_PPTP(sequence_number=1, seqnum_present=1) / PPP() / udp
    gtp = outer / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=1)
    container = GTP_U_Header(teid=1, gtp_type=255, E=1, next_ex=0x85) / GTPPDUSessionContainer(type=0, QFI=1)
    tzsp = outer / UDP(sport=3, dport=37008) / TZSP(encapsulated_protocol=1)
    wlan = Dot11(type=2, FCfield="to_DS", addr1="02:00:00:00:00:bb", addr2=INNER_MACS["src"], addr3=INNER_MACS["dst"])
    llc = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x800)
    vxlan = outer / UDP(sport=3, dport=4789) / VXLAN(vni=5, flags=8)
    geneve = outer / UDP(sport=3, dport=6081)
    gpe = outer / UDP(sport=3, dport=4790) / Raw(b"\x0c\0\0\x01\0\0\5\0")
    route = b"\x08\0\0\4" + bytes(4) + bytes(4)
    routed = eth / IP(src=OUTER_A, dst=OUTER_B, proto=47) / Raw(b"\x40\0\x08\0\0\0\0\0" + route + bytes(udp))
    inner_macs = {"src_mac": number(INNER_MACS["src"]), "dst_mac": number(INNER_MACS["dst"])}
    outer_macs = {"src_mac": number(OUTER_MACS["src"])}
    cases: list[tuple[str, Any, str, dict[str, Any]]] = [
        ("mpls", eth / MPLS(label=16, s=1) / udp, "mpls", {**UDP_FIELDS, **outer_macs}),
        ("mpls two labels, ipv6", eth / MPLS(label=16, s=0) / MPLS(label=17, s=1) / udp6, "mpls", UDP6_FIELDS),
        ("mpls explicit null", eth / MPLS(label=0, s=1) / udp, "mpls", UDP_FIELDS),
        (
            "mpls control word",
            eth / MPLS(label=16, s=1) / Raw(bytes(4)) / inner_eth / udp,
            "mpls",
            {**UDP_FIELDS, **inner_macs},
        ),
        ("mpls no control word", eth / MPLS(label=16, s=1) / inner_eth / udp, "mpls", {**UDP_FIELDS, **inner_macs}),
        ("mpls, address like ipv6", eth / MPLS(label=16, s=1) / pw_mac / udp, "mpls", UDP_FIELDS),
        ("mpls, what follows unknown", eth / MPLS(label=16, s=1) / Raw(b"\x10" + bytes(20)), "mpls", {"proto": "mpls"}),
        ("pppoe", eth / PPPoE(sessionid=1) / PPP() / udp, "pppoe", UDP_FIELDS),
        ("pppoe ipv6", eth / PPPoE(sessionid=1) / PPP(proto=0x57) / udp6, "pppoe", UDP6_FIELDS),
        ("pppoe discovery", eth / PPPoED(), "", {"proto": "pppoe_discovery"}),
        ("pppoe lcp", eth / PPPoE(sessionid=1) / PPP() / PPP_LCP_Echo(), "pppoe", {"proto": "ppp_control"}),
        ("gre", outer / GRE() / udp, "gre", UDP_FIELDS),
        (
            "gre key and sequence",
            outer / GRE(key_present=1, seqnum_present=1, chksum_present=1) / udp,
            "gre",
            UDP_FIELDS,
        ),
        ("gre routed", routed, "gre", UDP_FIELDS),
        ("gre ethernet", outer / GRE(proto=0x6558) / inner_eth / udp, "gre", {**UDP_FIELDS, **inner_macs}),
        ("gre ipv6", outer / GRE(proto=0x86DD) / udp6, "gre", UDP6_FIELDS),
        ("gre mpls", outer / GRE(proto=0x8847) / MPLS(label=16, s=1) / udp, "gre+mpls", UDP_FIELDS),
        ("gre unknown", outer / GRE(proto=0x1234) / Raw(BODY), "", {"proto": "gre", "src": OUTER_A, "payload": 14}),
        ("wccp", outer / GRE(proto=0x883E) / Raw(bytes(4)) / udp, "gre", UDP_FIELDS),
        ("pptp", pptp, "gre+ppp", UDP_FIELDS),
        ("nvgre", outer / GRE(proto=0x6558, key_present=1, key=0x100) / inner_eth / udp, "nvgre", UDP_FIELDS),
        ("eoip", eth / IP(src=OUTER_A, dst=OUTER_B, proto=47) / Raw(eoip), "eoip", UDP_FIELDS),
        ("erspan 1", erspan1, "erspan", {**UDP_FIELDS, **inner_macs}),
        ("erspan 2", erspan2, "erspan", {**UDP_FIELDS, **inner_macs}),
        ("erspan 3", erspan3, "erspan", {**UDP_FIELDS, **inner_macs}),
        ("vxlan", vxlan / inner_eth / udp, "vxlan", {**UDP_FIELDS, **inner_macs}),
        ("vxlan vlan", vxlan / inner_eth / Dot1Q(vlan=8) / tcp, "vxlan+vlan", {**TCP_FIELDS, "vlan": 8}),
        ("vxlan arp", vxlan / inner_eth / ARP(), "vxlan", {"proto": "arp", "src": "", "src_port": 0, **inner_macs}),
        (
            "vxlan unknown",
            vxlan / Ether(type=0x1234) / Raw(BODY),
            "",
            {"proto": "udp", "dst_port": 4789, "src": OUTER_A},
        ),
        ("vxlan port only", outer / UDP(sport=3, dport=4789) / Raw(bytes(40)), "", {"proto": "udp", "dst_port": 4789}),
        ("vxlan of linux", outer / UDP(sport=3, dport=8472) / VXLAN(flags=8) / inner_eth / udp, "vxlan", UDP_FIELDS),
        ("vxlan gpe", gpe / udp, "vxlan", UDP_FIELDS),
        ("geneve", geneve / GENEVE(vni=5) / inner_eth / udp, "geneve", UDP_FIELDS),
        ("geneve ip", geneve / GENEVE(vni=5, proto=0x800) / udp, "geneve", UDP_FIELDS),
        ("ipip", outer / udp, "ipip", UDP_FIELDS),
        ("6in4", outer / udp6, "6in4", UDP6_FIELDS),
        ("4in6", eth / six / udp, "4in6", UDP_FIELDS),
        ("6in6", eth / six / udp6, "ipv6-ipv6", UDP6_FIELDS),
        ("gtp-u", gtp / udp, "gtpu", UDP_FIELDS),
        ("gtp-u extension", outer / UDP(sport=2152, dport=2152) / container / udp, "gtpu", UDP_FIELDS),
        ("gtp-u echo", outer / UDP(sport=2152, dport=2152) / Raw(b"\x32\1\0\4" + bytes(8)), "", {"dst_port": 2152}),
        ("gtp 0", outer / UDP(sport=1, dport=3386) / Raw(b"\x1e\xff\0\x26" + bytes(16)) / udp, "gtpu", UDP_FIELDS),
        ("tzsp", tzsp / TZSPTagPadding() / TZSPTagRawRSSIByte() / TZSPTagEnd() / inner_eth / udp, "tzsp", UDP_FIELDS),
        (
            "tzsp wlan",
            outer / UDP(sport=3, dport=37008) / TZSP(encapsulated_protocol=18) / TZSPTagEnd() / wlan / llc / udp,
            "tzsp",
            UDP_FIELDS,
        ),
        ("ah tunnel", outer / AH(spi=1, icv=bytes(12), payloadlen=4, nh=4) / udp, "ah+ipip", UDP_FIELDS),
        ("gre in udp", outer / UDP(sport=3, dport=4754) / GRE() / udp, "gre-udp", UDP_FIELDS),
        ("mpls in udp", outer / UDP(sport=3, dport=6635) / MPLS(label=16, s=1) / udp, "mpls", UDP_FIELDS),
        ("mpls in ip", eth / IP(src=OUTER_A, dst=OUTER_B, proto=137) / MPLS(label=16, s=1) / udp, "mpls", UDP_FIELDS),
        ("etherip", eth / IP(proto=97) / Raw(b"\x30\0") / inner_eth / udp, "other", UDP_FIELDS),
        ("nsh", eth / NSH(mdtype=2, nextproto=1) / udp, "other", UDP_FIELDS),
        ("teredo is only named", outer / UDP(sport=3, dport=3544) / udp6, "", {"proto": "udp", "dst_port": 3544}),
        (
            "tunnel in tunnel",
            eth
            / Dot1Q(vlan=2)
            / IP(src="1.1.1.1")
            / UDP(sport=3, dport=4789)
            / VXLAN(flags=8)
            / inner_eth
            / IP(src=OUTER_A, dst=OUTER_B)
            / GRE()
            / udp,
            "vlan+vxlan+gre",
            {**UDP_FIELDS, "vlan": 2},
        ),
    ]
    return [_vector(name, ETHERNET, frame, fields, encap=encap) for name, frame, encap, fields in cases]


VECTORS = [*_ethernet_vectors(), *_ip_vectors(), *_link_vectors(), *_wlan_vectors(), *_tunnel_vectors()]
