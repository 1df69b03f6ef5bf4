"""Media streams judged: what each one suffers from, and whose doing it is.

In: rows of the table "streams" and the pass's time bins. Out: findings, one per pair of hosts, one per receiver when
most of its senders suffer, one for all that the capture itself lost. Next: DGF-MEDIA-LOSS (streams of Digifort),
NET-MEDIA-LOSS (all others): the same judgement for the streams of any VMS.

A gap says nothing of where a packet was lost. What can tell: gaps of many streams at one instant (`tables.losses`),
what the receiver reports (RFC 3550 6.4), and what TCP proves, where the media lie inside a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from classifier.findings import filters
from classifier.findings.case import SECOND, Case, once
from classifier.findings.model import Finding, Setting, Skipped
from classifier.findings.vantage import UNSEEN_SHARE
from classifier.tables.streams import ranking
from classifier.units import counted, percent, size, span

Row = dict[str, Any]
Set = Callable[[str], float]

SETTINGS = (
    Setting("share", 0.01, "share", "of a stream's packets that may be lost"),
    Setting("packets", 100, "packets", "captured of a stream until it is judged"),
    Setting("jitter_ms", 100, "ms", "mean jitter of pictures (first packets of each time stamp) that is still steady"),
    Setting("silence_s", 5, "s", "a video stream may be silent and then go on"),
    Setting("reported", 0.02, "share", "that the receiver may report lost between two of its reports"),
    Setting("continuity", 0.01, "share", "of a transport stream's packets with a break of the counters"),
)
"""Thresholds; all ours."""

PATH, SENDER, RECEIVER, CUT, CONTINUITY, SILENCE, JITTER, CAPTURE = range(8)
"""Kinds of trouble, the one to begin with first."""

_SOUND = frozenset(
    {"PCMU", "PCMA", "GSM", "G722", "G723", "G728", "G729", "G726", "L16", "DVI4", "LPC", "MPA", "QCELP"}
)
_PAUSING = ("AAC", "MPEG4-GENERIC", "MP4A", "OPUS", "TELEPHONE-EVENT", "G726", "SPEEX", "AMR", "METADATA", "SMPTE291")
_FEWEST_PER_SECOND = 5
"""A stream with fewer packets a second (ONVIF metadata, a picture now and then) is silent by nature."""
_SENT_ON = 0.5
"""Share of the packets that a silence should have brought, from which the sender counts as having sent them."""
_TELLING_STREAMS, _TELLING_SENDERS = 3, 2  # fewer cannot lose together (`tables.losses`)
_SHARED_SENDERS = 3
_STREAMS_NAMED = 4

_REMEDIES = {
    PATH: "Look for the lossy part between sender and capture point: port errors and duplex of the switches, a link "
    "that is full at peaks, wireless or long copper runs, a switch too small for many cameras' key frames at once.",
    SENDER: "TCP loses nothing: the sender left these packets out, because its connection was too slow or its "
    "processor too busy. Lower the stream's bit rate or frame rate, or free the connection; look at the camera's load.",
    RECEIVER: "Packets pass here and do not arrive: look at what lies between this point and the receiver, then at the "
    "receiver itself (drops of its network card, socket buffer, processor).",
    CUT: "The sender was alive and went on sending, so look at what lies between: ports that went down, a switch that "
    "restarted, spanning tree, wireless, a route that changed at that time.",
    CONTINUITY: "The transport stream is torn: look at the path if packets are missing too, else at the encoder.",
    SILENCE: "Compare the time with the sender's log: a restart, a lost link or power (PoE), a stopped encoder.",
    JITTER: "Look for queues on the way (a full link, wireless, a busy switch) and for an overloaded sender; make sure "
    "that the capture was not taken on a busy machine.",
    CAPTURE: "Nothing to repair on the site by this alone. Capture with a faster machine, a bigger buffer (tcpdump -B) "
    "or fewer ports on the mirror, then judge the streams again.",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one stream suffers from. `amount`: for the order within its kind; `text`: half a sentence."""

    kind: int
    amount: float
    text: str
    row: Row


@dataclass(frozen=True, slots=True)
class _Ground:
    """What the whole capture says of its own losses."""

    words: str  # "": nothing speaks against the capture
    separable: bool  # enough streams to tell common gaps from a path's


@once
def digifort_servers(case: Case) -> set[str]:
    """Addresses that listen as a Digifort server (not its Administration Client, Analytics or LPR)."""
    names = ("server", "http_api", "rtsp", "media_input", "multicast_media")  # port 80 may be an Analytics server's
    components = tuple(f"digifort.{name}" for name in names)
    said = {host.address for host in case.facts.signatures.hosts if host.component in components}
    return set(case.hosts_of(*components)) | {address for address in said if case.addresses.find(address) >= 0}


def is_digifort(row: Row, servers: set[str]) -> bool:
    """Whether a stream is Digifort's: by its component, or because a Digifort server takes it from a camera."""
    return str(row["component"]).startswith("digifort.") or row["receiver_address"] in servers


def judged(case: Case, setting: Set, mine: Callable[[Row], bool]) -> Iterator[Finding | Skipped]:
    """Findings about the streams for which `mine` is true, worst first."""
    rows = case.report.rows("streams")
    chosen = [(number, row) for number, row in zip(_numbers(case)[: len(rows)], rows, strict=True) if mine(row)]
    troubles = [item for number, row in chosen for item in _troubles(case, number, row, setting)]
    yield from sorted(_findings(case, troubles, chosen), key=lambda item: item.severity == "info")


@once
def _numbers(case: Case) -> list[int]:
    """Streams in the order of the table "streams", which may end earlier."""
    return ranking(case.facts)


# -- one stream


def _troubles(case: Case, number: int, row: Row, setting: Set) -> Iterator[Trouble]:
    if row["packets"] < setting("packets"):
        return
    silent = list(_silence(case, number, row, setting))
    yield from silent
    if row["kind"] == "rtp":
        cut = row["longest_burst_lost"] if any(item.kind == CUT for item in silent) else 0
        yield from _losses(case, row, setting, cut)
        jitter = row["frame_jitter_ms"]
        if jitter is not None and jitter > setting("jitter_ms") and row["clock_basis"] not in ("", "assumed"):
            text = f"jitter of the pictures {jitter:.0f} ms on average, {row['max_frame_jitter_ms']:.0f} ms at most"
            yield Trouble(JITTER, jitter, text, row)
    breaks = row["cc_errors"] if not row["lost"] else 0  # missing packets tear the counters too
    if breaks and breaks > setting("continuity") * row["packets"]:
        why = ", with no RTP packet missing: torn before it was sent" if row["kind"] == "rtp" else ""
        text = f"{counted(breaks, 'break')} of the continuity counters in {row['packets']:,} packets{why}"
        yield Trouble(CONTINUITY, breaks / row["packets"], text, row)


def _losses(case: Case, row: Row, setting: Set, cut: int) -> Iterator[Trouble]:
    """`cut`: packets of an interruption, which is told by itself."""
    lost, expected = row["lost"] - cut, row["expected"] - cut
    told = row["reported_loss"]
    if expected and lost / expected > setting("share"):
        alone = row["lost_alone"]
        worst = row["worst_loss_ns"]
        text = f"{percent(lost / expected)} of {expected:,} packets missing ({lost:,}"
        text += f", at most {row['longest_burst_lost']:,} in a row"
        text += f", most at {case.at(worst)})" if worst is not None else ")"
        if row["transport"] == "tcp":
            unseen = _unseen_bytes(case, row)
            if unseen:
                text += f"; {unseen:,} bytes of the connection itself were not captured"
            yield Trouble(CAPTURE if unseen else SENDER, lost / expected, text, row)
        elif told is not None and row["reports"] > 1 and row["reported_lost"] <= 0:
            text += f"; the receiver's {row['reports']:,} reports name no loss, so it had them"
            yield Trouble(CAPTURE, lost / expected, text, row)
        elif alone is not None and alone - cut <= setting("share") * expected:
            text += f"; {row['lost_with_others']:,} of them at instants at which many streams have gaps"
            yield Trouble(CAPTURE, lost / expected, text, row)
        else:
            if row["lost_with_others"]:
                text += f"; {alone:,} of them in this stream alone"
            if told:
                text += f"; the receiver reports up to {percent(told)} between two reports"
            yield Trouble(PATH, lost / expected, text, row)
    elif told is not None and told > setting("reported"):
        here = percent(row["loss"])
        text = f"the receiver reports up to {percent(told)} lost between two reports, here {here} are missing"
        yield Trouble(RECEIVER, told, text, row)


def _unseen_bytes(case: Case, row: Row) -> int:
    """Bytes of the stream's own TCP direction that its receiver acknowledged, or passed over, and nobody captured."""
    table = case.read.tcp
    at = int(np.searchsorted(table.flow, row["flow_id"]))
    if at >= len(table) or int(table.flow[at]) != row["flow_id"]:
        return 0
    side = (table.orig if row["direction"] == "orig" else table.resp)[at]
    return int(side["unseen_bytes"]) + int(side["gap_bytes"])


def _silence(case: Case, number: int, row: Row, setting: Set) -> Iterator[Trouble]:
    silent_s = row["longest_silence_s"]
    active_s = (row["last_ns"] - row["first_ns"]) / SECOND - silent_s
    if silent_s <= setting("silence_s") or may_pause(row) or row["packets"] < _FEWEST_PER_SECOND * max(active_s, 1.0):
        return
    table = case.read.streams
    low, high = np.searchsorted(table.bins["stream"], [number, number + 1])
    times = table.bins["bin_ns"][low:high]
    if len(times) < 2:
        return
    at = int(np.argmax(np.diff(times)))
    begin, end = int(times[at]) + table.bin_width_ns, int(times[at + 1])
    if end > begin and case.captured_between(begin, end):
        text = f"silent for {span(int(silent_s * SECOND))} from {case.at(begin)} on, then it went on"
        sent_on = _SENT_ON * silent_s * row["packets"] / max(active_s, 1.0)
        if row["kind"] == "rtp" and row["longest_burst_lost"] > sent_on:
            text += f"; its numbers went on too ({row['longest_burst_lost']:,} missing): it was sent and did not come"
            yield Trouble(CUT, silent_s, text, row)
            return
        if row["kind"] == "rtp" and not row["lost"] and not row["restarts"]:
            text += "; no number is missing: the sender paused"
        yield Trouble(SILENCE, silent_s, text, row)


def may_pause(row: Row) -> bool:
    """Whether a stream is sound or data about pictures, which fall silent by themselves."""
    codec = str(row["codec"]).upper()
    return codec in _SOUND or any(part in codec for part in _PAUSING)


# -- the whole capture


@once
def _ground(case: Case) -> _Ground:
    vantage = case.vantage
    words = []
    if vantage.dropped:
        words.append(f"the capturing program dropped {counted(vantage.dropped, 'packet')}")
    if vantage.unseen_bytes > UNSEEN_SHARE * vantage.tcp_payload_bytes and vantage.both_directions is not False:
        words.append(f"{size(vantage.unseen_bytes)} of TCP were acknowledged and are not in the capture")
    rtp = [row for row in case.report.rows("streams") if row["kind"] == "rtp"]
    separable = len(rtp) >= _TELLING_STREAMS and len({row["sender_address"] for row in rtp}) >= _TELLING_SENDERS
    return _Ground(" and ".join(words), separable and case.facts.losses is not None)


# -- findings


def _findings(case: Case, troubles: Sequence[Trouble], chosen: Sequence[tuple[int, Row]]) -> Iterator[Finding]:
    own = [item for item in troubles if item.kind == CAPTURE]
    real = [item for item in troubles if item.kind != CAPTURE]
    senders: dict[str, set[str]] = {}
    for _, row in chosen:
        senders.setdefault(row["receiver_address"], set()).add(row["sender_address"])
    hit: dict[str, set[str]] = {}
    for item in real:
        hit.setdefault(item.row["receiver_address"], set()).add(item.row["sender_address"])
    groups: dict[tuple[str, str], list[Trouble]] = {}
    for item in real:
        target = item.row["receiver_address"]
        most = len(hit[target]) >= max(_SHARED_SENDERS, (len(senders[target]) + 1) // 2)
        groups.setdefault(("" if most else item.row["sender_address"], target), []).append(item)
    ordered = {pair: sorted(items, key=lambda item: (item.kind, -item.amount)) for pair, items in groups.items()}
    ranked = sorted(ordered, key=lambda pair: (ordered[pair][0].kind, -ordered[pair][0].amount))
    for source, target in ranked:
        yield _finding(case, source, target, ordered[source, target], senders)
    if own:
        yield _of_capture(case, own)


def _finding(
    case: Case,
    source: str,
    target: str,
    items: list[Trouble],
    senders: dict[str, set[str]],
) -> Finding:
    """One pair of hosts, or all senders of one receiver (`source` empty). `items`: worst first."""
    worst = items[0]
    here = {item.row["sender_address"] for item in items}
    if source:
        title = f"{case.place(source)} to {case.place(target)}: {_headline(worst)}"
    else:
        title = (
            f"{len(here)} of {len(senders[target])} senders to {case.place(target)} deliver badly: {_headline(worst)}"
        )
    parts = [f"{_stream(item.row, bool(source))}: {item.text}." for item in items[:_STREAMS_NAMED]]
    if len(items) > _STREAMS_NAMED:
        parts.append(f"{len(items) - _STREAMS_NAMED:,} more like these.")
    severity = "warning"
    if worst.kind == PATH:
        severity, more = _doubt(worst.row, _ground(case))
        parts += more
    remedy = _REMEDIES[worst.kind]
    if not source:
        remedy = (
            f"Begin with what these senders share: the receiver's link and network card, or a common switch. {remedy}"
        )
    flows = list(dict.fromkeys(item.row["flow_id"] for item in items))
    selection = filters.of_flows(case, flows)
    return Finding(title, " ".join(parts), flows, case.first_record(flows), selection, severity, remedy)


def _doubt(row: Row, ground: _Ground) -> tuple[str, list[str]]:
    """How sure it is that the path lost them: (severity, sentences)."""
    if row["reported_loss"]:
        return "warning", ["The receiver's own reports confirm it."]
    if ground.words:
        return "info", [f"It may be the capture's own loss: {ground.words}."]
    if not ground.separable:
        return "warning", [
            "Lost on the way to this point, or by the capture itself: there are too few streams to tell; "
            "the receiver's own statistics would."
        ]
    return "warning", []


def _of_capture(case: Case, items: list[Trouble]) -> Finding:
    items = sorted(items, key=lambda item: -item.amount)
    flows = list(dict.fromkeys(item.row["flow_id"] for item in items))
    parts = [f"{_stream(item.row, True, ends=True)}: {item.text}." for item in items[:_STREAMS_NAMED]]
    if len(items) > _STREAMS_NAMED:
        parts.append(f"{len(items) - _STREAMS_NAMED:,} more like these.")
    words = _ground(case).words
    if words:
        parts.append(f"And {words}.")
    streams = counted(len(items), "stream")
    title = f"Gaps in {streams} are most likely the capture's own, not the network's"
    first, selection = case.first_record(flows), filters.of_flows(case, flows)
    return Finding(title, " ".join(parts), flows, first, selection, "info", _REMEDIES[CAPTURE])


def _headline(item: Trouble) -> str:
    if item.kind == PATH:
        return f"{percent(item.amount)} of a stream's packets do not arrive"
    if item.kind == SENDER:
        return f"{percent(item.amount)} of a stream's packets were never sent"
    if item.kind == RECEIVER:
        return f"receiver misses {percent(item.amount)} behind the point of capture"
    if item.kind == CUT:
        return f"a stream was cut off for {span(int(item.amount * SECOND))}, its sender went on"
    if item.kind == CONTINUITY:
        return "the transport stream is torn"
    if item.kind == SILENCE:
        return f"a stream stood still for {span(int(item.amount * SECOND))}"
    return f"packets arrive unsteadily, jitter {item.amount:.0f} ms"


def _stream(row: Row, one_sender: bool, *, ends: bool = False) -> str:
    """How a stream is called: `H264 to port 3456 (SSRC 0x51000001)`."""
    what = row["codec"] or ("RTP" if row["kind"] == "rtp" else "MPEG-TS")
    place = f"to port {row['receiver_port']}" if row["transport"] == "udp" else "inside TCP"
    source = f" (SSRC {row['ssrc']})" if row["ssrc"] else ""
    if ends:
        return f"{what} {row['sender_address']} to {row['receiver_address']}, {place}{source}"
    return f"{what} {place}{source}" if one_sender else f"{what} from {row['sender_address']} {place}{source}"
