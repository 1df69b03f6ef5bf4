"""The engine: captures in, a Report out.

`read` drives a pass: capture -> RecordBatch -> PACKET rows -> Tally, with the few candidate payloads going to the
parsers of `classifier.evidence`. `classify` labels the finished flow table and builds the report. `flow_records`
reads the captures again and gives the records of chosen flows. Nothing here prints.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from classifier import kernels as _kernels  # noqa: F401  (registers every kernel)
from classifier.capture import CaptureInfo, CaptureSet, Problem, find_captures, time_order
from classifier.columns import BATCH, PACKET
from classifier.errors import CaptureError
from classifier.evidence.collect import Announced, Collector, IcmpError, Membership, Replied, Searched, buffer_of
from classifier.evidence.proofs import NO_PROOFS, Proofs, judge
from classifier.evidence.reports import Reports
from classifier.evidence.sdp import Codec
from classifier.evidence.sessions import Medium
from classifier.findings.settings import DEFAULTS as NO_SETTINGS
from classifier.findings.settings import Settings
from classifier.flows.finish import finish_flows
from classifier.flows.framing_table import FRAMINGS_FULL
from classifier.flows.state import (
    FORGOTTEN,
    HELD_FULL,
    JOINED,
    OVERFLOW,
    PAYLOADS_UNSEEN,
    PROBES_FULL,
    TCP_CAP,
    TCP_FULL,
)
from classifier.flows.stream_table import BIN_WIDTH_NS as STREAM_BIN_WIDTH_NS
from classifier.flows.stream_table import NO_STREAMS, STREAMS_CAP, STREAMS_FULL, TS_FULL, Streams
from classifier.flows.table import FlowTable, LinkTable
from classifier.flows.tally import BIN_WIDTH_NS, Tally
from classifier.flows.tcp_table import TcpTable, finish_tcp_table, no_tcp
from classifier.flows.watch import Watch, Watched
from classifier.interrupt import Interruption
from classifier.jit import speed, view
from classifier.limits import DEFAULTS, Limits
from classifier.matching import (
    Heard,
    Learned,
    SignatureSet,
    attribute,
    learned_endpoints,
    load_signatures,
    service_ports,
)
from classifier.matching.site import NO_SITE, Site

if TYPE_CHECKING:
    from classifier.report import Report

Array = npt.NDArray[Any]
Progress = Callable[[int, int | None, int], None]
Source = str | os.PathLike[str] | BinaryIO
"""A capture: a path, `-` for standard input, or an open binary stream."""

INTERRUPTED = "interrupted"


@dataclass(slots=True)
class Pass:
    """What reading gives, before labels."""

    captures: list[CaptureInfo]
    flows: FlowTable
    links: LinkTable
    bins: Array  # BIN rows, in no order, pairs may repeat; `flow` is the tally row (FlowTable.row, LinkTable.row)
    bin_width_ns: int
    memberships: list[Membership] = field(default_factory=list)
    quoted: list[IcmpError] = field(default_factory=list)  # which packets ICMP errors are about, and who sent them
    announced: list[Announced] = field(default_factory=list)  # what SQL Server Browsers answered
    learned: list[Learned] = field(default_factory=list)
    searched: list[Searched] = field(default_factory=list)  # SSDP searches: few of them are looked at
    replied: list[Replied] = field(default_factory=list)  # statuses of RTSP replies, the first of each connection
    proofs: Proofs = NO_PROOFS
    media: list[Medium] = field(default_factory=list)  # what RTSP sessions set up
    inside: dict[tuple[int, int], Codec] = field(default_factory=dict)  # codec by tally row and type, interleaved
    streams: Streams = NO_STREAMS
    tcp: TcpTable = field(default_factory=no_tcp)
    reports: Reports = field(default_factory=lambda: Reports(DEFAULTS.facts))  # what RTCP says of streams
    problems: list[Problem] = field(default_factory=list)  # of the pass as a whole: a cap was reached
    unreadable: list[CaptureError] = field(default_factory=list)  # inputs that are missing, closed to us or no capture
    sources: list[Any] = field(default_factory=list)  # what to open to read the captures again
    limits: Limits = DEFAULTS
    watched: Watched | None = None  # what the capture says of its own making; None when nothing was followed


def classify(
    source: Source | Sequence[Source],
    *,
    signatures: Sequence[str | os.PathLike[str]] = (),
    progress: Progress | None = None,
    compiled: bool | None = None,
    batch: int = BATCH,
    limits: Limits = DEFAULTS,
    site: Site = NO_SITE,
    settings: Settings = NO_SETTINGS,
) -> Report:
    """Read one capture, several, or a folder of them as one capture in time order, and label what is in it.

    `signatures`: further signature files. `progress(bytes_done, bytes_total or None, packets)` is called about
    once per megabyte. `compiled`: speed of the kernels, None = interpreted for small captures. `batch`: records decoded
    at a time; neither changes a result. `site`: moved ports and known hosts; what contradicts it is in
    `report.problems`. `settings`: thresholds of findings. `limits`: what may be kept in memory; a limit
    that is reached is one of `report.problems`.

    Raises CaptureError when no input could be read (inputs that could not be read beside others that could are in
    `report.unreadable`) and SignatureError for a wrong signature file. Ctrl-C ends the reading, not the report.
    """
    from classifier.report import Report

    known = load_signatures(signatures, site)
    result = read(source, signatures=known, progress=progress, compiled=compiled, batch=batch, limits=limits)
    heard = Heard(result.memberships, result.media)
    labels = attribute(result.flows, result.links, known, result.learned, result.proofs, heard)
    return Report(result, known, labels, settings)


def read(
    source: Source | Sequence[Source],
    *,
    signatures: SignatureSet,
    progress: Progress | None = None,
    compiled: bool | None = None,
    batch: int = BATCH,
    limits: Limits = DEFAULTS,
) -> Pass:
    """One pass over the captures; raises CaptureError when none of them can be read."""
    live = source in ("-", ["-"], ("-",)) or hasattr(source, "read")  # opening it may wait for a writer
    with Interruption(live) as interruption, _opened(source, compiled, batch) as captures:
        interruption.patient &= captures.live
        interruption.idle = captures.waiting
        fast = captures.compiled
        tally = _tally(limits, fast, batch)
        collector = Collector(limits.facts)
        watch = Watch(len(captures.infos), tally.kernels) if limits.follow else None
        counted = np.zeros((len(captures.infos), 3), "i8")  # packets, wire bytes, captured bytes
        try:
            for packets, buffers in _packets(captures, fast, progress, interruption, counted):
                candidates = tally.update(packets, len(packets))
                tally.streams.look_at_continuity(packets, buffers, tally.kernels)
                if watch is not None:
                    watch.look(packets, buffers)
                if len(candidates):
                    collector.take(candidates, packets, buffers)
                if len(tally.following):
                    _follow(tally, collector, packets, buffers)
            if interruption.asked:
                for info in captures.infos:
                    info.problem(INTERRUPTED, info.packets, 0, "Ctrl-C; all that had been sent was read", complete=True)
        except KeyboardInterrupt:
            for info, sums in zip(captures.infos, counted.tolist(), strict=True):
                info.packets, info.wire_bytes, info.captured_bytes = sums  # without what was only read ahead
                info.problem(INTERRUPTED, info.packets, 0, "the reading was stopped before the end")
        interruption.end()
        rows, bins = tally.finish()
        flows, links = finish_flows(rows, service_ports(signatures))
        said, media = collector.sessions.finish(rows)
        streams = tally.streams.finish(tally.kernels)
        proofs = judge(flows, rows, tally.probes, [*collector.proofs, *said], streams)
        sides = rows["probe"][flows.row]
        del rows  # the flow table is a copy
        tally.forget_flows()
        tcp = finish_tcp_table(flows, sides, tally.tcp)
        return Pass(
            captures=captures.infos,
            flows=flows,
            links=links,
            bins=bins,
            bin_width_ns=tally.bin_width_ns,
            memberships=collector.memberships,
            quoted=collector.quoted,
            announced=collector.announced,
            learned=learned_endpoints(signatures, collector.announced, media),
            searched=collector.searched,
            replied=collector.replied,
            proofs=proofs,
            media=media,
            streams=streams,
            inside=collector.sessions.inside,
            tcp=tcp,
            reports=collector.reports,
            problems=_caps_reached(tally, collector, limits),
            unreadable=captures.unreadable,
            sources=[info.path for info in captures.infos],
            limits=limits,
            watched=watch.finish() if watch is not None else None,
        )


def _follow(tally: Tally, collector: Collector, packets: Array, buffers: Sequence[tuple[Any, Array]]) -> None:
    """Count the media inside this batch's RTSP connections."""
    segments = tally.following
    parts = [(segments, buffers[0][0])]
    if len(buffers) > 1:
        parts = [(segments[k : k + 1], buffer_of(int(segments[k]["packet"]), buffers)) for k in range(len(segments))]
    for part, buffer in parts:
        for reports, data in tally.follow(part, packets, buffer):
            collector.take_reports(reports, data, packets)


def _tally(limits: Limits, compiled: bool, batch: int, keep_log: bool = False) -> Tally:
    return Tally(
        compiled=compiled,
        room=batch,
        keep_log=keep_log,
        max_flows=limits.flows,
        max_bins=limits.room_for_bins,
        max_payloads=limits.payloads,
        follow=limits.follow,
    )


def flow_records(
    result: Pass, flow_ids: Sequence[int], *, batch: int = BATCH
) -> Iterator[tuple[int, int, int, int, int, bytes]]:
    """The records of chosen flows, read again: (capture, record number, ts_ns, link type, wire bytes, frame).

    Two passes over the captures: the first finds which records went to the flows (also late fragments), the
    second gives them, in reading order. Raises CaptureError when a capture is gone or was standard input.
    """
    wanted_rows = {int(result.flows.row[flow]) for flow in flow_ids}
    wanted = _find_records(result, np.array(sorted(wanted_rows), "i4"), batch)
    with _opened(result.sources, None, batch) as captures:
        for window in captures.batches():
            for capture, part, low, high in window:
                first = part.first_record
                numbers = wanted.get(capture)
                if numbers is None:
                    continue
                inside = numbers[(numbers >= first + low) & (numbers < first + high)]
                for number in inside:
                    record = part.records[int(number) - first]
                    start = int(record["offset"])
                    frame = part.buffer[start : start + int(record["captured"])].tobytes()
                    yield capture, int(number), int(record["ts_ns"]), int(record["link"]), int(record["wire"]), frame


def _find_records(result: Pass, rows: Array, batch: int) -> dict[int, Array]:
    """Record numbers, per capture, of the flows with these tally rows."""
    found: list[Array] = []
    with _opened(result.sources, None, batch) as captures:
        fast = captures.compiled
        tally = _tally(result.limits, fast, batch, keep_log=True)  # the same limits give the same rows
        for packets, _ in _packets(captures, fast):
            tally.update(packets, len(packets))
            log = tally.take_log()
            found.append(log[np.isin(log["flow"], rows)])
        tally.finish()
        log = tally.take_log()
        found.append(log[np.isin(log["flow"], rows)])
    every = np.concatenate(found)
    return {int(c): np.sort(every["record"][every["capture"] == c]) for c in np.unique(every["capture"])}


def _opened(source: Any, compiled: bool | None, batch: int) -> CaptureSet:
    """The captures behind `source`, opened in time order. Raises CaptureError when there is none."""
    items = [source] if isinstance(source, str | os.PathLike) or hasattr(source, "read") else list(source)
    paths: list[Any] = []
    failed: list[CaptureError] = []
    for item in items:
        if hasattr(item, "read"):
            paths.append(item)
            continue
        try:
            paths.extend(find_captures([os.fspath(item)]))
        except CaptureError as error:
            failed.append(error)
    captures = CaptureSet(paths, compiled=compiled, batch=batch)
    captures.unreadable[:0] = failed
    if not captures.infos:
        captures.close()
        raise captures.unreadable[0] if captures.unreadable else CaptureError("", "no captures given")
    return captures


def _packets(
    captures: CaptureSet,
    compiled: bool,
    progress: Progress | None = None,
    interruption: Interruption | None = None,
    counted: Array | None = None,
) -> Iterator[tuple[Array, Any]]:
    """PACKET rows in reading order with the buffers their payloads lie in: `(packets, [(buffer, rows), ...])`.

    Valid until the next one is asked for. Where captures overlap in time, each window is decoded capture by
    capture and its rows are put in order of time; `rows` are then the places of the buffer's packets.
    """
    kernels = speed(compiled)
    decode, sniff = kernels.decode_batch, kernels.sniff_batch
    room = np.zeros(BATCH, PACKET)
    numbers = np.arange(BATCH)
    count = told = 0
    for window in interruption.batches(captures.batches()) if interruption else captures.batches():
        total = sum(high - low for _, _, low, high in window)
        if total > len(room):
            room = np.zeros(total, PACKET)
        buffers: list[tuple[Any, Array]] = []
        at = 0
        for capture, part, low, high in window:
            n = high - low
            rows = room[at : at + n]
            seen = view(part.buffer, compiled)
            decode(seen, part.records[low:high], n, rows)
            sniff(seen, rows, n)
            if n > len(numbers):
                numbers = np.arange(n)
            rows["record"] = numbers[:n] + (part.first_record + low)
            rows["capture"] = capture
            buffers.append((part.buffer, numbers[:n] + at))
            if counted is not None:
                counted[capture] += (n, rows["wire"].sum(), rows["captured"].sum())
            at += n
        packets = room[:total]
        if len(window) > 1:
            order = time_order(window)
            packets = np.take(packets, order)
            place = np.empty(total, "i8")
            place[order] = np.arange(total)
            buffers = [(buffer, place[rows]) for buffer, rows in buffers]
        yield packets, buffers
        count += total
        if progress is not None and captures.bytes_read - told >= 1 << 20:
            told = captures.bytes_read
            progress(told, captures.size, count)


def _wide_bins(width_ns: int) -> str:
    """What wider time bins than usual mean."""
    seconds = width_ns // 10**9
    wide = f"time bins are {seconds:,} second{'' if seconds == 1 else 's'} wide, there were too many of 100 ms"
    if seconds == 1:
        return f"{wide}: bursts are not known"
    return f"{wide}: peaks and percentiles are over these, bursts are not known"


def _caps_reached(tally: Tally, collector: Collector, limits: Limits) -> list[Problem]:
    """One problem per limit that was reached, with how much it left out."""

    def how_many(place: int, noun: str) -> str:
        return f"{state[place]:,} {noun}{'' if state[place] == 1 else 's'}"

    state = tally.state
    reached: list[tuple[str, str]] = []
    if not limits.follow:
        reached.append(("not_followed", "media streams and TCP connections were not followed, as asked for"))
    if state[OVERFLOW]:
        text = f"of further flows than the {limits.flows:,} that are kept: counted together, per IP protocol"
        reached.append(("flow_cap", f"{how_many(OVERFLOW, 'packet')} {text}"))
    if state[JOINED]:
        text = "counted with an earlier one of the same addresses and ports: the flow table is full"
        reached.append(("flow_cap", f"{how_many(JOINED, 'connection')} {text}"))
    if tally.bin_width_ns > BIN_WIDTH_NS:
        reached.append(("bin_cap", _wide_bins(tally.bin_width_ns)))
    if state[HELD_FULL]:
        text = "came before the first one of their datagram, more than can wait for it"
        reached.append(("fragment_cap", f"{how_many(HELD_FULL, 'fragment')} {text}"))
    if state[FORGOTTEN]:
        text = "gave way to others before the last fragment came; what came later has no ports"
        reached.append(("fragment_cap", f"{how_many(FORGOTTEN, 'fragmented datagram')} {text}"))
    media = tally.streams.state
    if media[STREAMS_FULL]:
        text = f"of further media streams than the {media[STREAMS_CAP]:,} that are followed"
        reached.append(("stream_cap", f"{media[STREAMS_FULL]:,} packets {text}"))
    if media[TS_FULL]:
        text = "of transport streams whose continuity was not followed: too many programs"
        reached.append(("stream_cap", f"{media[TS_FULL]:,} packets {text}"))
    if state[TCP_FULL]:
        text = f"of further TCP connections than the {state[TCP_CAP] // 2:,} whose transport is followed"
        reached.append(("tcp_cap", f"{how_many(TCP_FULL, 'segment')} {text}"))
    if tally.framing.state[FRAMINGS_FULL]:
        text = "of RTSP connections whose media were not followed: too many"
        reached.append(("stream_cap", f"{tally.framing.state[FRAMINGS_FULL]:,} segments {text}"))
    if tally.streams.bin_width_ns > STREAM_BIN_WIDTH_NS:
        text = "rates of single streams are over these: there were too many to keep ten per second"
        reached.append(("bin_cap", f"time bins of streams are {tally.streams.bin_width_ns / 1e9:g} s wide, and {text}"))
    state[PAYLOADS_UNSEEN] += collector.dropped
    if state[PAYLOADS_UNSEEN]:
        text = "not looked at for evidence: too many"
        reached.append(("evidence_cap", f"{how_many(PAYLOADS_UNSEEN, 'payload')} {text}"))
    if state[PROBES_FULL]:
        text = "of further flows than can be watched were not looked at for media streams"
        reached.append(("evidence_cap", f"{how_many(PROBES_FULL, 'packet')} {text}"))
    return [Problem(code, 0, 0, message) for code, message in reached]
