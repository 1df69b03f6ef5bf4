"""Scalars of a tally: places in its `state` array (i8), and the small row types beside PACKET and FLOW."""

from __future__ import annotations

import numpy as np

FLOWS = 0  # rows in use
BINS = 1  # bins in the log
BIN_WIDTH = 2  # ns
FLOWS_CAP = 3  # most rows there may be
OVERFLOW = 4  # packets whose own flow did not fit
CANDIDATES = 5  # evidence candidates of this batch
CANDIDATES_LEFT = 6  # how many more the whole capture may hand over
LOG_ON = 7  # 1: note each record's flow
LOGGED = 8
HELD_FREE = 9  # head of the free list of held fragments, -1 = none
HELD_USED = 10  # places of the pool ever used
HELD_FULL = 11  # fragments that found the pool full
JOINED = 12  # connections that were added to an earlier one of their five-tuple, for want of rows
PAYLOADS_UNSEEN = 13  # evidence candidates beyond the bounds
FORGOTTEN = 14  # fragmented datagrams that gave way to another one within 30 s and before their last fragment
ORDINARY_LEFT = 15  # how many more payloads of ordinary protocols may be handed over
PROBES = 16  # probe rows in use (the first two are nobody's)
PROBES_CAP = 17  # most there may be
PROBES_FULL = 18  # packets that found no room for a probe
REPORTS_LEFT = 19  # how many more RTCP packets may be handed over
TCP_ROWS = 24  # rows of TCP_SIDE in use (the first two are nobody's)
TCP_CAP = 25  # most there may be
TCP_FULL = 26  # segments of connections that found no room
FOLLOWING = 27  # segments of RTSP connections in this batch
FOLLOW = 28  # 1: media streams and TCP connections are followed
STATE_SIZE = 32

ORDINARY_TOTAL = 10_000
"""Payloads of HTTP, TLS, SSDP and WS-Discovery handed over in all: they only name what is not ours."""
ORDINARY_PER_ENDPOINT = 8
"""And so many per listening endpoint (by hash: `Tally.limiter`)."""

KIND_SSRP = 1
KIND_ASKED = 2  # an SSRP request
KIND_IGMP = 3
KIND_MLD = 4
KIND_FRAME = 5  # a Digifort frame
KIND_TEXT = 6  # the head of an HTTP or RTSP message
KIND_STREAM = 7  # what follows in an RTSP connection: the rest of a head, or a body
KIND_TDS = 8
KIND_TLS = 9
KIND_HTTPU = 10
KIND_SOAP = 11
KIND_QUOTED = 12  # an ICMP or ICMPv6 error, which quotes a packet
KIND_REPORT = 13  # RTCP: a receiver's or a sender's report

SIDE_LIMITS = (0, 250, 8, 0, 0, 6, 24, 16, 4, 2, 4, 2, 250, 0)
"""Payloads handed over per flow and direction, by kind; 0: no limit of its own. All kinds of a direction count.

SSRP replies, ICMP errors: a client may ask from one port for weeks, and a port that changed meanwhile is in a late
reply; but one flow must not take what all of them share (`Limits.payloads`). RTSP: a session is set up in a few
messages; the media that follow on a connection leave room for more of them."""

REPORTS_TOTAL = 65_536
"""RTCP packets handed over in all."""
REPORTS_FIRST = 8
"""The first reports of a direction are all read; later ones when a sixteenth of the time since the first has passed, so
that their number grows with the logarithm of the time and the last one read is never old."""

CANDIDATE = np.dtype([("packet", "i4"), ("kind", "i4"), ("flow", "i4"), ("side", "i4")], align=True)
LOGGED_RECORD = np.dtype([("record", "i8"), ("capture", "i4"), ("flow", "i4")], align=True)

FRAGMENT = np.dtype(
    [
        ("key", "i8"),  # `decode.network.datagram_key`, 0 = entry not in use
        ("ts_ns", "i8"),
        ("encap", "i8"),
        ("src0", "u4"), ("src1", "u4"), ("src2", "u4"), ("src3", "u4"),
        ("dst0", "u4"), ("dst1", "u4"), ("dst2", "u4"), ("dst3", "u4"),
        ("proto", "i4"),
        ("vlan", "i4"),
        ("held", "i4"),  # first of the packets that wait, -1 = none
        ("src_port", "u2"), ("dst_port", "u2"),
        ("version", "u1"),
        ("ttl", "u1"),
        ("inside", "u1"),  # 1: the datagram is a tunnel's, the flow is what is inside
        ("known", "u1"),  # 1: the first fragment was seen, its flow is here
        ("done", "u1"),  # 1: the last fragment was seen too
    ],
    align=True,
)  # fmt: skip
"""One fragmented datagram: what its later fragments need of its first."""

PROBE = np.dtype(
    [
        ("last_ssrc", "u4"), ("last_ts", "u4"),
        ("last_seq", "u2"),
        ("hits", "u2"),  # packets that may be RTP and continue the one before (RTP_ENOUGH at most)
        ("datagrams", "u2"),  # of MPEG transport stream
        ("reports", "u2"),  # RTCP
        ("last_pt", "u1"),
        ("begun", "u1"),  # 1: a packet that may be RTP was there
        ("streams", "u1"),  # 1: it has STREAM rows
        ("kept", "u1"), ("turn", "u1"),  # which of the two places below are taken, and which is next to give way
        ("stream", "i4"),  # STREAM row of its last packet, plus one; 0 = none
        ("handed", "i4"),  # RTCP packets handed to the parser
        ("first_report_ns", "i8"), ("report_ns", "i8"),  # the first and the latest of those
        # two packets of sources that have no stream yet
        ("times", "i8", (2,)), ("wires", "i8", (2,)), ("payloads", "i8", (2,)),
        ("ssrcs", "u4", (2,)), ("stamps", "u4", (2,)), ("seqs", "u2", (2,)), ("kinds", "u1", (2,)),
        ("pictures", "u1", (2,)),
    ],
    align=True,
)  # fmt: skip
"""What one direction of a flow shows of media."""

TCP_HOLES = 4
TCP_RECENT = 4
TCP_SIDE = np.dtype(
    [
        # cache line 0 and half of line 1: what every segment needs
        ("last_ns", "i8"),  # its latest segment
        ("next_ns", "i8"),  # when `next` moved
        ("new_ns", "i8"),  # when it last sent data that had not been seen; 0 = never
        ("stall_ns", "i8"),  # longest time between two of those
        ("next", "u4"),  # next expected number
        ("top", "u4"),  # the same, also by what the peer acknowledged
        ("ack", "u4"),  # of its latest segment
        ("acked", "u4"),  # highest number that the peer acknowledged
        ("segments", "u4"),  # with data
        ("framing", "i4"),  # FRAMING row of interleaved media; 0 = none
        ("window", "u2"),
        ("known", "u1"), ("n_holes", "u1"), ("dup_run", "u1"), ("newest", "u1"),
        ("recent", "u4", (2 * TCP_RECENT,)),  # hash and microsecond of recent segments
        ("silence_ns", "i8"), ("opened_ns", "i8"),  # of both, in side A's row; the handshake's ACK, or 0
        ("silence_at_ns", "i8"), ("stall_at_ns", "i8"),  # starts
        ("zero_ns", "i8"), ("zero_window_ns", "i8"),  # its window is zero since then; was, in all
        ("retransmitted_bytes", "i8"),
        ("unseen_bytes", "i8"),  # acknowledged by the peer, never captured
        ("gap_bytes", "i8"),  # passed over, neither captured nor acknowledged
        ("holes", "u4", (2 * TCP_HOLES,)),  # start and end, in order
        ("retransmitted", "u4"),
        ("out_of_order", "u4"),
        ("duplicate_acks", "u4"),
        ("zero_windows", "u4"),
        ("keep_alives", "u4"),
        ("gaps", "u4"),  # segments behind which one is missing
        ("duplicates", "u4"),  # copies that a mirror made
        ("unseen_acks", "u4"),  # ACKs of what had not been seen
        ("spare", "u4", (6,)),
    ],
    align=True,
)  # fmt: skip
assert TCP_SIDE.itemsize == 256, "a side is four cache lines"
"""What one direction of a TCP connection shows of its transport (`flows.tcp`)."""
MAX_TCP_ROWS = 2_097_152

RTP_ENOUGH = 16
"""After so many packets that continue their predecessor a direction is RTP and not looked at any more."""
RTP_RUN = 4
"""Packets that continue their predecessor until a direction is RTP: five in a row (ours; RFC 3550 asks for two)."""
RTP_SHARE = 4
"""... and at least one in so many of the direction's packets, unless there are RTP_ENOUGH."""
TS_DATAGRAMS = 3
"""MPEG transport stream datagrams until a direction is one (ours)."""
MAX_PROBES = 4_194_304
FRAG_LOST = 4
"""Bit of `frag_more`, beside FRAG_*, of a packet whose first fragment is not waited for any longer."""

FRAGMENT_SETS = 4096
FRAGMENT_WAYS = 4
HELD_POOL = 16_384
FRAGMENT_TIMEOUT_NS = 30_000_000_000
"""Identifications repeat within seconds on a fast camera: a datagram's fragments are bound by time as well
(RFC 1122 section 3.3.2 asks for a fixed timeout, RFC 8200 section 4.5 for 60 s; 30 s is ours)."""
