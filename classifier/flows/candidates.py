"""Which payloads are worth a parser, and what the first bytes of the others say.

In: packets with their hint (decode.sniff) and flow. Out: hints and media probes in the flow, CANDIDATE rows for the
parsers, bounded per direction of a flow, per endpoint and in all. Next: `evidence.collect`.
"""

from __future__ import annotations

from typing import Any

from classifier.decode.hints import (
    DIGIFORT,
    HTTP_REPLY,
    HTTP_REQUEST,
    HTTPU,
    MPEGTS,
    RTCP,
    RTP,
    RTSP_REPLY,
    RTSP_REQUEST,
    SOAP,
    TDS_REPLY,
    TDS_REQUEST,
    TLS,
    WANTED,
    hint_bit,
)
from classifier.flows.hashing import mix
from classifier.flows.probe import probe_media
from classifier.flows.state import (
    CANDIDATES,
    CANDIDATES_LEFT,
    FOLLOW,
    KIND_ASKED,
    KIND_FRAME,
    KIND_HTTPU,
    KIND_IGMP,
    KIND_MLD,
    KIND_QUOTED,
    KIND_REPORT,
    KIND_SOAP,
    KIND_SSRP,
    KIND_STREAM,
    KIND_TDS,
    KIND_TEXT,
    KIND_TLS,
    ORDINARY_LEFT,
    ORDINARY_PER_ENDPOINT,
    PAYLOADS_UNSEEN,
    REPORTS_FIRST,
    REPORTS_LEFT,
    RTP_ENOUGH,
    SIDE_LIMITS,
)
from classifier.jit import i64, inlined, kernel

_TCP = 6
_UDP = 17
_ICMP = 1
_IGMP = 2
_ICMPV6 = 58
_SSRP_PORT = 1434
RTSP_BITS = hint_bit(RTSP_REQUEST) | hint_bit(RTSP_REPLY)
_SETUP = RTSP_REQUEST | WANTED


@inlined
def note_hint(
    flows: Any,
    where: int,
    hint: int,
    probes: Any,
    streams: Any,
    places: Any,
    logged: Any,
    counts: Any,
    state: Any,
    packets: Any,
    i: int,
) -> None:
    """Keep in the flow what a payload begins with."""
    f = flows[where >> 1]
    code = hint & ~WANTED
    bit = 1 << (code - 1)
    if where & 1:
        f["b_hints"] = i64(f["b_hints"]) | bit
    else:
        f["a_hints"] = i64(f["a_hints"]) | bit
    if code == RTP and state[FOLLOW] == 0 and f["probe"] != 0:
        if probes[i64(f["probe"]) + (where & 1)]["hits"] >= RTP_ENOUGH:
            packets[i]["around"] = 0
            return  # it is RTP, and nothing more is asked
    if code in (RTP, RTCP, MPEGTS):
        probe_media(flows, where, probes, streams, places, logged, counts, state, packets, i, code)


@kernel
def payload_kind(flows: Any, where: int, hint: int, packets: Any, i: int) -> int:
    """Which parser should look at a TCP or UDP payload, 0 for none."""
    code = hint & ~WANTED
    p = packets[i]
    if p["proto"] == _UDP:
        if p["src_port"] == _SSRP_PORT:
            return KIND_SSRP
        if p["dst_port"] == _SSRP_PORT:
            return KIND_ASKED
        if code == RTCP:
            return KIND_REPORT
        if code == HTTPU:
            return KIND_HTTPU
        return KIND_SOAP if code == SOAP else 0
    if code == DIGIFORT:
        return KIND_FRAME
    if code in (HTTP_REQUEST, HTTP_REPLY, RTSP_REQUEST, RTSP_REPLY):
        return KIND_TEXT
    if code in (TDS_REQUEST, TDS_REPLY):
        return KIND_TDS
    if code == TLS:
        return KIND_TLS if hint & WANTED else 0
    if code == 0:
        f = flows[where >> 1]
        said = i64(f["b_hints"]) if where & 1 else i64(f["a_hints"])
        if said & RTSP_BITS:
            return KIND_STREAM
    return 0


@inlined
def candidate_kind(flows: Any, where: int, hint: int, packets: Any, i: int) -> int:
    """Which payload parser should look at a packet, 0 for none."""
    p = packets[i]
    proto = i64(p["proto"])
    if p["frag_offset"] != 0:
        return 0
    if proto in (_TCP, _UDP):
        return payload_kind(flows, where, hint, packets, i) if p["payload_captured"] != 0 else 0
    if proto == _IGMP:
        return KIND_IGMP
    if proto == _ICMPV6:
        kind = i64(p["icmp_type"])
        if kind == 130 or kind == 131 or kind == 132 or kind == 143:
            return KIND_MLD
        if 1 <= kind <= 4:
            return KIND_QUOTED
    if proto == _ICMP:
        kind = i64(p["icmp_type"])
        if kind == 3 or kind == 4 or kind == 5 or kind == 11 or kind == 12:
            return KIND_QUOTED
    return 0


@kernel
def speaks_for_hosts(kind: int) -> bool:
    """Whether what a payload says is of the hosts in the packet, not of its flow."""
    return kind in (KIND_SSRP, KIND_IGMP, KIND_MLD, KIND_QUOTED)


@kernel
def is_ordinary(kind: int, hint: int) -> bool:
    """Whether a payload only names what is not ours: those are many, and few of them suffice."""
    if kind == KIND_TEXT:
        return hint in (HTTP_REQUEST, HTTP_REPLY)
    return kind in (KIND_TLS, KIND_HTTPU, KIND_SOAP)


@kernel
def report_due(flows: Any, where: int, probes: Any, packets: Any, i: int) -> bool:
    """Whether an RTCP packet should be read: the first few of a direction, then ever fewer (`REPORTS_FIRST`)."""
    at = i64(flows[where >> 1]["probe"])
    if at == 0:
        return False  # no room for a probe, which is counted
    row = probes[at + (where & 1)]
    ns = i64(packets[i]["ts_ns"])
    if row["handed"] == 0:
        row["first_report_ns"] = ns
    elif row["handed"] >= REPORTS_FIRST and ns - i64(row["report_ns"]) < (ns - i64(row["first_report_ns"])) // 16:
        return False
    row["handed"] += 1
    row["report_ns"] = ns
    return True


@kernel
def listener_place(packets: Any, i: int, hint: int, size: int) -> int:
    """Where the limiter counts a payload: by the endpoint that listens."""
    p = packets[i]
    if hint & ~WANTED == HTTP_REPLY:
        h = mix(mix(0x9E3779B1, i64(p["src_port"])), i64(p["src3"]) ^ i64(p["src1"]))
    else:
        h = mix(mix(0x9E3779B1, i64(p["dst_port"])), i64(p["dst3"]) ^ i64(p["dst1"]))
    return h % size


@kernel
def offer_candidate(
    flows: Any, where: int, state: Any, candidates: Any, limiter: Any, kind: int, hint: int, packets: Any, i: int
) -> None:
    """Hand a packet to the payload parsers, within the bounds per flow side, per endpoint and in all."""
    f = flows[where >> 1]
    sniffed = i64(f["b_sniffed"]) if where & 1 else i64(f["a_sniffed"])
    most = SIDE_LIMITS[kind]
    if is_ordinary(kind, hint):
        place = listener_place(packets, i, hint, len(limiter))
        if sniffed >= most or limiter[place] >= ORDINARY_PER_ENDPOINT:
            return  # enough is known of it
        if state[ORDINARY_LEFT] <= 0:
            state[PAYLOADS_UNSEEN] += 1
            return
        limiter[place] += 1
        state[ORDINARY_LEFT] -= 1
    elif kind == KIND_REPORT:
        if state[REPORTS_LEFT] <= 0:
            state[PAYLOADS_UNSEEN] += 1
            return
        state[REPORTS_LEFT] -= 1
    else:
        at = i64(state[CANDIDATES])
        if state[CANDIDATES_LEFT] <= 0 or at >= len(candidates) or (most > 0 and sniffed >= most):
            # keep-alives and further requests of a kind tell nothing new; a reply or a SETUP could
            if speaks_for_hosts(kind) or hint == _SETUP or state[CANDIDATES_LEFT] <= 0:
                state[PAYLOADS_UNSEEN] += 1
            return
        state[CANDIDATES_LEFT] -= 1
    if most > 0:
        if where & 1:
            f["b_sniffed"] = sniffed + 1
        else:
            f["a_sniffed"] = sniffed + 1
    at = i64(state[CANDIDATES])
    state[CANDIDATES] = at + 1
    candidates[at]["packet"] = i
    candidates[at]["kind"] = kind
    candidates[at]["flow"] = where >> 1
    candidates[at]["side"] = where & 1
