"""Every column once: name, dtype, unit, meaning.

The internal rows (RECORD, PACKET, FLOW, BIN) are structured numpy dtypes, one row per record, packet,
flow or time bin: a flow's state shares a few cache lines, which is what the flow kernel's speed rests on.
The public tables (`TABLES`) are what a report shows; the docs and the JSON Schema are generated from them.

Units: `_ns` nanoseconds since 1970-01-01 UTC (or a span in nanoseconds), `_bytes` bytes, `_bps` bits per second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BATCH = 4096
"""Records decoded at a time: the batch stays in the processor's cache (bigger ones measured slower)."""

NO_VLAN = -1

RECORD = np.dtype(
    [
        ("ts_ns", "i8"),  # arrival time
        ("offset", "i8"),  # of the frame's first byte in the batch's buffer
        ("captured", "i8"),  # bytes of the frame in the file, >= 0, all of them inside the buffer
        ("wire", "i8"),  # original length of the frame
        ("link", "i4"),  # link type (LINKTYPE_ registry number)
        ("interface", "i4"),  # index of the interface in its capture file (0 for pcap)
    ],
    align=True,
)
"""One record of a capture file: what the capture layer hands to the decoder."""

# proto values: 0-255 are IP protocol numbers, LINK_PROTO + code are frames without IP
# (code: index into decode.protocols.LINK_PROTOCOLS).
LINK_PROTO = 256

PACKET = np.dtype(
    [
        ("ts_ns", "i8"),
        ("wire", "i8"),  # original frame length
        ("captured", "i8"),
        ("ip", "i8"),  # total length of the innermost IP packet (0 without IP)
        ("payload", "i8"),  # bytes after the transport header, by IP length (padding never counts)
        ("payload_at", "i8"),  # offset of the payload in the batch's buffer
        ("payload_captured", "i8"),  # payload bytes present in the buffer
        ("encap", "i8"),  # outer layers, 5 bits each, outermost in the highest used bits (ENCAPSULATIONS)
        ("record", "i8"),  # number of the record in its capture, from 1 (set by the engine, not the decoder)
        ("src_mac", "i8"),  # of the innermost Ethernet header before the IP header; 0 if none
        ("dst_mac", "i8"),
        ("around", "i8"),  # with FRAG_AROUND: `decode.network.datagram_key` of the outermost datagram in pieces
        ("src0", "u4"),  # address words, most significant first; IPv4 in word 3
        ("src1", "u4"),
        ("src2", "u4"),
        ("src3", "u4"),
        ("dst0", "u4"),
        ("dst1", "u4"),
        ("dst2", "u4"),
        ("dst3", "u4"),
        ("seq", "u4"),  # TCP; of what may be RTP the SSRC
        ("ack", "u4"),  # TCP; of what may be RTP the timestamp
        ("frag_id", "u4"),  # IP identification
        ("capture", "i4"),  # index of the capture (set by the engine)
        ("proto", "i4"),  # IP protocol, or LINK_PROTO + code
        ("vlan", "i2"),  # innermost VLAN id, NO_VLAN without a tag
        ("frag_offset", "u2"),  # bytes; with frag_more both 0 when not a fragment
        ("src_port", "u2"),  # 0 where there are none
        ("dst_port", "u2"),
        ("window", "u2"),  # TCP, raw; of what may be RTP the sequence number
        ("version", "u1"),  # 4, 6; 0 without IP
        ("frag_more", "u1"),  # FRAG_* bits
        ("tcp_flags", "u1"),  # of what may be RTP the marker bit and payload type
        ("ttl", "u1"),  # TTL or hop limit of the innermost IP header
        ("icmp_type", "u1"),  # ICMP, ICMPv6 and IGMP type; of what may be RTP the kind of picture
        ("icmp_code", "u1"),
        ("stop", "u1"),  # why decoding ended early (decode.protocols.STOPS), 0 = it did not
        ("hint", "u1"),  # what the payload begins with (decode.hints), set by the sniffer
        ("opaque", "u1"),  # 1: encrypted or otherwise not decodable on purpose (ESP, 802.11 protected)
    ],
    align=True,
)
"""One decoded packet: what the decoder hands to the flow table. Innermost IP header, innermost ports."""

FRAG_MORE = 1  # more fragments of the innermost datagram follow
FRAG_AROUND = 2  # the packet is (in) the first fragment of a tunnel's datagram, whose other fragments follow it

FLOW = np.dtype(
    [
        # cache line 0: the key (side A sent the first packet seen) and what every packet compares with
        ("a0", "u4"), ("a1", "u4"), ("a2", "u4"), ("a3", "u4"),
        ("b0", "u4"), ("b1", "u4"), ("b2", "u4"), ("b3", "u4"),
        ("proto", "i4"),
        ("a_port", "u2"), ("b_port", "u2"),
        ("version", "u1"),
        ("a_flags", "u1"), ("b_flags", "u1"),  # OR of the TCP flags of all packets
        ("seen", "u1"),  # SEEN_* bits
        ("a_ttl", "u1"), ("b_ttl", "u1"),  # lowest seen
        ("a_sniffed", "u1"), ("b_sniffed", "u1"),  # payload packets handed over so far
        ("last_ns", "i8"),
        ("bin_ns", "i8"),  # the bin being filled
        # line 1: sums of every packet, then the TCP handshake
        ("bin_a_wire", "i8"), ("bin_b_wire", "i8"),
        ("first_ns", "i8"),
        ("captured", "i8"),
        ("bin_packets", "u4"),
        ("a_isn", "u4"), ("b_isn", "u4"),
        ("a_syns", "u2"), ("b_syns", "u2"),  # SYN without ACK, 65,535 at most
        ("a_synacks", "u2"), ("b_synacks", "u2"),
        ("fragments", "u4"),
        ("stopped", "u4"),  # packets whose decoding ended early
        ("probe", "i4"),  # where the flow's PROBE rows are (TCP: TCP_SIDE), A's, then B's; 0 = none
        # line 2: sums of one side
        ("a_packets", "i8"), ("a_wire", "i8"), ("a_ip", "i8"), ("a_payload", "i8"),
        ("b_packets", "i8"), ("b_wire", "i8"), ("b_ip", "i8"), ("b_payload", "i8"),
        # line 3: the first packet, and what is rarely written
        ("syn_ns", "i8"), ("synack_ns", "i8"),  # first SYN, first SYN-ACK; 0 = none
        ("encap", "i8"),
        ("first_record", "i8"),  # number of the record in its capture, from 1
        ("a_mac", "i8"), ("b_mac", "i8"),
        ("capture", "i4"),
        ("previous", "i4"),  # earlier flow of the same five-tuple, -1 = none
        ("a_hints", "u2"), ("b_hints", "u2"),  # what the payloads of a side began with (decode.hints.hint_bit)
        ("vlan", "i2"),
        ("spare", "i2"),
    ],
    align=True,
)  # fmt: skip
assert FLOW.itemsize == 256, "a flow row is four cache lines"
"""State of one flow while a capture is read. Frames without IP share one row per protocol."""

SEEN_A_ACK = 1  # side A sent a segment with ACK and without SYN or RST
SEEN_B_ACK = 2
SEEN_A_DATA = 4
SEEN_B_DATA = 8
SEEN_UNRESOLVED = 16  # later fragments whose first fragment never came

TCP_FIN, TCP_SYN, TCP_RST, TCP_PSH, TCP_ACK, TCP_URG = 1, 2, 4, 8, 16, 32

BIN = np.dtype(
    [
        ("bin_ns", "i8"),  # start of the bin, a multiple of the bin's width
        ("a_wire", "i8"),
        ("b_wire", "i8"),
        ("packets", "i4"),
        ("flow", "i4"),
    ],
    align=True,
)
"""Wire bytes of one flow in one time bin; only bins that hold packets exist."""

ENCAPSULATIONS = (
    "",
    "vlan",
    "mpls",
    "pppoe",
    "ppp",
    "gre",
    "nvgre",
    "erspan",
    "vxlan",
    "geneve",
    "ipip",
    "6in4",
    "gtpu",
    "tzsp",
    "ah",
    "gre-udp",
    "4in6",
    "ipv6-ipv6",
    "l2tp",
    "capwap",
    "teredo",
    "pbb",
    "eoip",
    "macsec",
    "other",
)
"""Names of the outer layers, by the 5-bit code that PACKET and FLOW keep (12 layers at most)."""


def encapsulation_name(code: int) -> str:
    """The layer stack of an `encap` value, outermost first: `"vlan+vxlan"`; empty without any."""
    names = []
    while code:
        index = code & 31
        names.append(ENCAPSULATIONS[index] if index < len(ENCAPSULATIONS) else "other")
        code >>= 5
    return "+".join(reversed(names))


@dataclass(frozen=True)
class Column:
    """One column of a public table: its name, kind, unit and meaning."""

    name: str
    kind: str  # "int", "float", "str", "time" (ns since the epoch), "category", "list", "map"
    unit: str
    meaning: str

    @property
    def nullable(self) -> bool:
        """Whether a value may be missing (null in JSON, empty in CSV, NA in a DataFrame)."""
        return self.name in NULLABLE


NULLABLE = frozenset(
    {
        "payload_type", "clock_rate", "frames_per_second", "key_frames", "key_frame_seconds", "jitter_ms",
        "max_jitter_ms", "frame_jitter_ms", "max_frame_jitter_ms", "reported_lost",
        "reported_loss", "reported_jitter_ms", "cc_errors",
        "vlan", "ttl", "first_record", "skipped_because", "selected_packets", "tried_ns",
        "lost_with_others", "lost_alone", "worst_loss_ns",
        "silence_at_ns", "handshake_ns", "retransmitted_share",
        "first_join_ns", "last_join_ns", "first_leave_ns", "last_leave_ns",
    }
)  # fmt: skip
"""Names of columns whose values may be missing, in every table."""


def _table(*rows: tuple[str, str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(*row) for row in rows)


FLOWS = _table(
    ("flow_id", "int", "", "number of the flow in this report, from 0, in order of first packet"),
    ("protocol", "category", "", "tcp, udp, icmp, igmp, ... or the IP protocol's number"),
    ("orig_address", "str", "", "address of the originator"),
    ("orig_port", "int", "", "port of the originator, 0 where there are none"),
    ("resp_address", "str", "", "address of the responder"),
    ("resp_port", "int", "", "port of the responder, 0 where there are none"),
    ("vlan", "int", "", "innermost VLAN id of the first packet, null without a tag"),
    ("encapsulation", "category", "", "layers around the innermost IP header, outermost first, joined by +"),
    ("first_ns", "time", "ns", "time of the first packet"),
    ("last_ns", "time", "ns", "time of the last packet"),
    ("orig_packets", "int", "packets", "packets sent by the originator"),
    ("resp_packets", "int", "packets", "packets sent by the responder"),
    ("orig_wire_bytes", "int", "bytes", "original frame lengths, sent by the originator"),
    ("resp_wire_bytes", "int", "bytes", "original frame lengths, sent by the responder"),
    ("orig_payload_bytes", "int", "bytes", "bytes after the transport header, by IP length"),
    ("resp_payload_bytes", "int", "bytes", "bytes after the transport header, by IP length"),
    ("tcp_state", "category", "", "how far the TCP connection got; empty for other protocols"),
    ("component", "category", "", "the component that owns the flow"),
    ("grade", "category", "", "confirmed, probable; empty for what is no product's"),
    ("evidence", "list", "", "codes of what the label rests on"),
    ("candidates", "list", "", "components that could not be given the flow, with support missing"),
    ("direction_basis", "category", "", "how originator and responder were told apart"),
    ("orig_ip_bytes", "int", "bytes", "IP total lengths, sent by the originator"),
    ("resp_ip_bytes", "int", "bytes", "IP total lengths, sent by the responder"),
    ("capture", "int", "", "index of the capture that holds the first packet"),
    ("first_record", "int", "", "number of the first packet's record in its capture, from 1"),
    (
        "name",
        "str",
        "",
        "what its payload calls it: TLS server name, SQL instance, Digifort version, server software; empty without",
    ),
    ("peak_bps", "float", "bit/s", "highest 1-second bin, both directions"),
    ("peak_ns", "time", "ns", "start of that second"),
    ("orig_retransmitted_bytes", "int", "bytes", "TCP payload that the originator sent again"),
    ("resp_retransmitted_bytes", "int", "bytes", "TCP payload that the responder sent again"),
    ("orig_retransmitted_segments", "int", "segments", "with data, sent again, by Wireshark's definition"),
    ("resp_retransmitted_segments", "int", "segments", "with data, sent again, by Wireshark's definition"),
    ("orig_out_of_order", "int", "segments", "with data, late but not sent again, by Wireshark's definition"),
    ("resp_out_of_order", "int", "segments", "with data, late but not sent again, by Wireshark's definition"),
    ("orig_zero_window_ns", "int", "ns", "how long the originator could take no data (window 0), in all"),
    ("resp_zero_window_ns", "int", "ns", "how long the responder could take no data (window 0), in all"),
    ("orig_unseen_bytes", "int", "bytes", "the originator sent and the other side acknowledged, but not captured"),
    ("resp_unseen_bytes", "int", "bytes", "the responder sent and the other side acknowledged, but not captured"),
    ("orig_stall_ns", "int", "ns", "longest time between two segments with new data of the originator"),
    ("resp_stall_ns", "int", "ns", "longest time between two segments with new data of the responder"),
    ("silence_ns", "int", "ns", "longest time without any segment, from the TCP handshake to the first FIN or RST"),
    ("silence_at_ns", "time", "ns", "start of that silence, null without one"),
    ("handshake_ns", "int", "ns", "from the SYN to the ACK: a round trip; null when it was not seen whole"),
)

COMPONENTS = _table(
    ("id", "category", "", "component id"),
    ("product", "category", "", "digifort, digital_sentry, other, network, unclassified or a user's product"),
    ("name", "str", "", "the component's name"),
    ("packets", "int", "packets", ""),
    ("wire_bytes", "int", "bytes", "original frame lengths"),
    ("flows", "int", "flows", "0 for protocols without IP"),
    ("share", "float", "", "share of the capture's wire bytes, 0 to 1"),
    ("mean_bps", "float", "bit/s", "wire bits over the capture's duration"),
    ("peak_bps", "float", "bit/s", "highest 1-second bin"),
    (
        "p95_bps",
        "float",
        "bit/s",
        "95th percentile of the 1-second bins of the capture's duration, empty ones included",
    ),
    ("first_ns", "time", "ns", ""),
    ("last_ns", "time", "ns", ""),
    ("grades", "map", "", "per grade: flows, packets, wire_bytes"),
    ("peak_100ms_bps", "float", "bit/s", "highest 100-ms bin (of captures with too many bins: the pass's own)"),
    ("peak_ns", "time", "ns", "start of the highest 1-second bin, the earliest of equal ones"),
    ("retransmitted_share", "float", "", "share of the TCP payload that was sent again, 0 to 1; null without any"),
)

HOSTS = _table(
    ("address", "str", "", "IP address"),
    ("name", "str", "", "host name that a capture itself gives (pcapng name resolution), empty without"),
    ("roles", "list", "", "what the host does, in the words of the signatures, strongest first"),
    ("products", "list", "", "products it takes part in"),
    ("sent_packets", "int", "packets", ""),
    ("received_packets", "int", "packets", ""),
    ("sent_wire_bytes", "int", "bytes", ""),
    ("received_wire_bytes", "int", "bytes", ""),
    ("flows", "int", "flows", ""),
    ("peers", "int", "hosts", "distinct addresses it exchanged packets with"),
    ("macs", "list", "", "MAC addresses it sent from (up to 4)"),
    ("first_ns", "time", "ns", ""),
    ("last_ns", "time", "ns", ""),
)

MULTICAST = _table(
    ("group", "str", "", "group address"),
    ("port", "int", "", "destination port, 0 where there are none"),
    ("protocol", "category", "", ""),
    ("component", "category", "", "owner of most of its packets"),
    ("senders", "list", "", "source addresses"),
    ("members", "list", "", "hosts that joined by IGMP or MLD report in this capture"),
    ("packets", "int", "packets", ""),
    ("wire_bytes", "int", "bytes", ""),
    ("mean_bps", "float", "bit/s", ""),
    ("ttl", "int", "", "lowest TTL seen, null when none was"),
    ("first_ns", "time", "ns", ""),
    ("last_ns", "time", "ns", ""),
    ("sender_ttls", "list", "", "lowest TTL of each sender, in the order of `senders`; 0 when none was seen"),
    ("peak_bps", "float", "bit/s", "highest 1-second bin"),
    ("left", "list", "", "members whose last report was a leave"),
    ("joins", "int", "reports", "IGMP or MLD reports of membership, repeated ones too; the group's, on any port"),
    ("leaves", "int", "reports", "IGMP or MLD leaves; the group's, on any port"),
    ("first_join_ns", "time", "ns", "null without a join"),
    ("last_join_ns", "time", "ns", "null without a join"),
    ("first_leave_ns", "time", "ns", "null without a leave"),
    ("last_leave_ns", "time", "ns", "null without a leave"),
    ("queriers", "list", "", "who asked for members, by general queries or by some for this group"),
    ("querier_version", "category", "", "IGMPv1 to 3, MLDv1 or 2: of the queries; empty when none was seen"),
    ("streams", "int", "streams", "media streams sent to it"),
)

PROTOCOLS = _table(
    ("protocol", "category", "", "tcp, udp, icmp, arp, ..."),
    ("packets", "int", "packets", ""),
    ("wire_bytes", "int", "bytes", ""),
    ("flows", "int", "flows", "0 for protocols without IP"),
    ("share", "float", "", "share of the capture's wire bytes, 0 to 1"),
)

UNCLASSIFIED = _table(
    ("protocol", "category", "", ""),
    ("address", "str", "", "the responder's address"),
    ("port", "int", "", "the responder's port"),
    ("packets", "int", "packets", ""),
    ("wire_bytes", "int", "bytes", ""),
    ("flows", "int", "flows", ""),
    ("share", "float", "", "share of the capture's wire bytes, 0 to 1"),
    ("hint", "str", "", "what little is known"),
)

OTHERS = _table(
    ("component", "category", "", "component id of the service"),
    (
        "what",
        "str",
        "",
        "the service in words, with the name: TLS to NAME, HTTP by SOFTWARE, RTP without a known owner",
    ),
    ("name", "str", "", "as in flows, empty without"),
    ("servers", "int", "hosts", "distinct responders"),
    ("packets", "int", "packets", ""),
    ("wire_bytes", "int", "bytes", ""),
    ("flows", "int", "flows", ""),
    ("share", "float", "", "share of the capture's wire bytes, 0 to 1"),
)

CANDIDATES = _table(
    ("component", "category", "", "component that the port alone would suggest"),
    ("flow_id", "int", "", ""),
    ("reason", "str", "", "why it does not own the flow"),
)

LEARNED = _table(
    ("component", "category", "", ""),
    ("address", "str", "", ""),
    ("port", "int", "", ""),
    ("by", "category", "", "ssrp, rtsp or content"),
    ("instance", "str", "", "SQL Server instance name, as announced"),
    ("version", "str", "", "as announced"),
    ("first_ns", "time", "ns", ""),
)

TIMELINE = _table(
    ("time_ns", "time", "ns", "start of the bin"),
    ("component", "category", "", ""),
    ("packets", "int", "packets", ""),
    ("wire_bytes", "int", "bytes", ""),
)

QUALITY = _table(
    ("measure", "str", "", ""),
    ("value", "float", "", ""),
    ("unit", "str", "", ""),
    ("meaning", "str", "", ""),
)

FINDINGS = _table(
    ("code", "category", "", ""),
    ("severity", "category", "", "error, warning, info"),
    ("title", "str", "", ""),
    ("summary", "str", "", ""),
    ("remedy", "str", "", ""),
    ("display_filter", "str", "", "for Wireshark; empty where no filter can select it"),
    ("selected_packets", "int", "packets", "that the display filter selects; null without one"),
    ("flow_ids", "list", "", "flows that show it, the first 1,000"),
    ("first_record", "int", "", "number of its first packet's record in its capture, from 1; null without one"),
    ("source", "str", "", "document or standard behind the rule"),
    ("status", "category", "", "fired or skipped"),
    ("skipped_because", "str", "", "why the capture cannot answer; null when fired"),
)

PORTS = _table(
    ("product", "category", "", ""),
    ("component", "category", "", ""),
    ("required", "category", "", "as the product's document says: yes, no, conditional, unstated"),
    ("client_address", "str", "", ""),
    ("server_address", "str", "", "empty where it is not known"),
    ("transport", "category", "", "tcp or udp"),
    ("port", "int", "", "0 where it is not known (a dynamic SQL port that nobody named)"),
    (
        "state",
        "category",
        "",
        "working; refused, rejected (ICMP), blocked (no answer), answer lost, accepted, then reset; no answer (of a "
        "SQL Server Browser, which need not); cannot tell; no attempt seen",
    ),
    ("tried_ns", "time", "ns", "first attempt; null without one"),
    ("first_record", "int", "", "number of its record in its capture, from 1; null without one"),
    ("flow_ids", "list", "", "flows that show it, the first ones"),
)

STREAMS = _table(
    ("flow_id", "int", "", "the flow that carries it"),
    ("kind", "category", "", "rtp, or mpegts for a transport stream without RTP"),
    ("ssrc", "str", "", "source of the RTP packets as 0x and eight hex digits; empty without RTP"),
    ("sender_address", "str", "", ""),
    ("sender_port", "int", "", ""),
    ("receiver_address", "str", "", "the receiver's, or the group's"),
    ("receiver_port", "int", "", ""),
    ("direction", "category", "", "orig: the flow's originator sends it; resp: the responder does"),
    ("transport", "category", "", "udp, or tcp when interleaved in RTSP"),
    ("component", "category", "", "the component that owns the flow"),
    ("payload_type", "int", "", "RTP payload type of most packets, null without RTP"),
    ("codec", "category", "", "encoding as in SDP (H264, PCMU, MP2T, ...); empty when nothing tells"),
    ("codec_basis", "category", "", "sdp; static (RFC 3551 table); payload (NAL unit types, a guess); empty"),
    ("clock_rate", "int", "Hz", "ticks of the RTP time stamp per second, null without RTP"),
    ("clock_basis", "category", "", "sdp, static, payload, measured (time stamps against arrival) or assumed; empty"),
    ("packets", "int", "packets", "packets of the stream, also those that A.1 of RFC 3550 refuses"),
    ("wire_bytes", "int", "bytes", "original frame lengths; of interleaved streams the frames in the TCP connection"),
    ("payload_bytes", "int", "bytes", "what follows the transport header, RTP headers included"),
    ("mean_bps", "float", "bit/s", "from the stream's first packet to its last; over one second when shorter"),
    ("p95_bps", "float", "bit/s", "95th percentile of the seconds it lasted"),
    ("peak_bps", "float", "bit/s", "highest 1-second bin"),
    ("peak_100ms_bps", "float", "bit/s", "highest 100-millisecond bin"),
    ("frames", "int", "frames", "pictures or audio frames: changes of the time stamp, and one"),
    ("frames_per_second", "float", "1/s", "null for fewer than two, or no time between them"),
    ("key_frames", "int", "frames", "H.264 and H.265 pictures one can start at; null when that is not visible"),
    ("key_frame_seconds", "float", "s", "mean time from one key frame to the next; null for fewer than two"),
    ("expected", "int", "packets", "by the sequence numbers (RFC 3550 A.3); 0 without RTP"),
    ("lost", "int", "packets", "expected but never seen; duplicates do not make up for losses"),
    ("loss", "float", "", "lost of expected, 0 to 1"),
    ("duplicates", "int", "packets", "numbers that had come before"),
    ("reordered", "int", "packets", "came later than a higher number"),
    ("refused", "int", "packets", "numbers too far from the others to belong to the run (RFC 3550 A.1)"),
    ("longest_burst_lost", "int", "packets", "most numbers in a row that never came"),
    ("restarts", "int", "", "times that the numbers began anew"),
    ("jitter_ms", "float", "ms", "mean of the interarrival jitter, per packet (RFC 3550 A.8, as Wireshark); or null"),
    ("max_jitter_ms", "float", "ms", "its maximum"),
    ("frame_jitter_ms", "float", "ms", "the same over the first packet of each time stamp, mean: what fits video"),
    ("max_frame_jitter_ms", "float", "ms", "its maximum"),
    ("longest_silence_s", "float", "s", "longest time without a packet of the stream"),
    ("first_ns", "time", "ns", "time of the first packet"),
    ("last_ns", "time", "ns", "time of the last packet"),
    ("reports", "int", "", "RTCP report blocks about the stream that were read: what the receiver says"),
    ("reported_lost", "int", "packets", "the highest loss they name; null without any"),
    ("reported_loss", "float", "", "highest share lost between two reports, 0 to 1; null without any"),
    ("reported_jitter_ms", "float", "ms", "highest jitter they name; null without any"),
    ("sender_reports", "int", "", "RTCP sender reports of the stream that were read"),
    ("pids", "list", "", "MPEG-TS: program identifiers seen, without stuffing"),
    ("cc_errors", "int", "", "MPEG-TS: breaks of the continuity counters; null where there are none"),
    ("lost_with_others", "int", "packets", "lost while many streams lost: most likely the capture's; or null"),
    ("lost_alone", "int", "packets", "lost in this stream alone: its path's or its sender's; or null"),
    ("worst_loss_ns", "time", "ns", "start of the 100 ms in which most are missing; null without a loss"),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "components": COMPONENTS,
    "flows": FLOWS,
    "hosts": HOSTS,
    "streams": STREAMS,
    "multicast": MULTICAST,
    "findings": FINDINGS,
    "ports": PORTS,
    "timeline": TIMELINE,
    "protocols": PROTOCOLS,
    "quality": QUALITY,
    "unclassified": UNCLASSIFIED,
    "candidates": CANDIDATES,
    "learned": LEARNED,
    "others": OTHERS,
}
