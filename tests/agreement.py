"""Our packets, bytes and flows of a capture beside tshark's, and the list of where they may differ.

In: captures. Out: `Opinion` of each side, a `Difference` per file that has one, and what is wrong with the checked-in
list `data/agreement.toml`. Next: `test_corpus` runs it over a corpus. `python tests/agreement.py [--rewrite]` prints
the figures; with `--rewrite` it also brings the list's counts up to date. Reasons are written by hand, always.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

LIST = Path(__file__).resolve().parent / "data" / "agreement.toml"
SHARE = 0.97
"""Of all files, at least so many must agree on their flows."""

Endpoint = tuple[str, int]
Flows = dict[tuple[str, Endpoint, Endpoint], tuple[int, int]]
"""Transport and both endpoints in sorted order: packets, wire bytes."""


Sums = tuple[int, int, int]


@dataclass(frozen=True)
class Opinion:
    """What a program says of a capture; one that it refuses has no packets."""

    packets: int = 0
    wire_bytes: int = 0
    flows: Flows = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """How far two opinions are apart: pairs of ours and tshark's, None where they agree.

    `flows`: of those that the other side has not, or with other sums: how many, their packets, their wire bytes.
    """

    packets: tuple[int, int] | None = None
    wire_bytes: tuple[int, int] | None = None
    flows: tuple[Sums, Sums] | None = None

    def __bool__(self) -> bool:
        return self != Difference()


COUNTS = tuple(Difference.__dataclass_fields__)


# -- ours


def our_opinion(report: Any) -> Opinion:
    """The opinion of a finished report; None, for a capture that was refused, is an empty one."""
    if report is None:
        return Opinion()
    flows: dict[Any, tuple[int, int]] = {}
    table = report.flows
    for row in table[table["protocol"].isin(("tcp", "udp"))].itertuples():
        ends = sorted(((row.orig_address, row.orig_port), (row.resp_address, row.resp_port)))
        packets, wire = flows.get(key := (row.protocol, *ends), (0, 0))
        packets += row.orig_packets + row.resp_packets
        flows[key] = packets, wire + row.orig_wire_bytes + row.resp_wire_bytes
    infos = report.captures
    return Opinion(sum(info.packets for info in infos), sum(info.wire_bytes for info in infos), flows)


# -- tshark's

IPV4 = ("ip.src", "ip.dst", "ip.id", "ip.frag_offset", "ip.flags.mf", "ip.proto")
IPV6 = ("ipv6.src", "ipv6.dst")
FRAGMENT = ("ipv6.fraghdr.ident", "ipv6.fraghdr.offset", "ipv6.fraghdr.more", "ipv6.fraghdr.nxt")
PORTS = ("tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport")
FIELDS = ("frame.len", "frame.protocols", *IPV4, *IPV6, *FRAGMENT, *PORTS)
# Each frame is looked at alone: a reassembled datagram would show in one frame what came in several.
ALONE = ("ip.defragment", "ipv6.defragment", "tcp.desegment_tcp_streams", "wlan.defragment")
QUOTING = ("icmp", "icmpv6")
TRANSPORTS = {"6": "tcp", "17": "udp"}


Datagram = tuple[str, str, str]
"""Source, destination, identification."""


class Innermost(NamedTuple):
    """The innermost IP layer of a frame and what it carries."""

    transport: str = ""  # "" when it is neither TCP nor UDP
    src: str = ""
    dst: str = ""
    src_port: int = 0
    dst_port: int = 0
    follows: Datagram | None = None  # it is a later fragment of this datagram
    leads: tuple[Datagram, ...] = ()  # it is, or lies in, the first fragment of these

    def fragment(self, datagram: str, offset: str, more: str, number: str) -> Innermost:
        """The same when the IP header says this about fragments; a first fragment goes on to its ports."""
        if offset != "0":
            return self._replace(follows=(self.src, self.dst, datagram), transport=TRANSPORTS.get(number, ""))
        if more in ("1", "True"):
            return self._replace(leads=(*self.leads, (self.src, self.dst, datagram)))
        return self


@lru_cache(maxsize=65536)
def address(text: str) -> str:
    """An address as Python writes it: tshark has its own way with some of IPv6."""
    return str(ip_address(text))


def innermost(line: str) -> tuple[int, Innermost]:
    """Frame length and innermost packet of one line of tshark's fields.

    `frame.protocols` tells which layers there are, in order: the k-th `ip` owns the k-th value of each `ip.` field.
    What an ICMP error quotes comes behind `icmp`, and is not the frame's own.
    """
    cells = dict(zip(FIELDS, line.rstrip("\n").split("\t"), strict=True))
    length, layers = int(cells.pop("frame.len")), cells.pop("frame.protocols").split(":")
    values = {name: cell.split("|") if cell else [] for name, cell in cells.items()}
    seen: Counter[str] = Counter()
    found = Innermost()
    for layer in layers:
        if layer in QUOTING:
            break
        at = seen[layer]
        seen[layer] += 1

        def nth(names: Iterable[str], at: int = at) -> list[str] | None:
            """The at-th value of each field; None when one is missing: a layer cut short."""
            return [values[name][at] for name in names] if all(len(values[name]) > at for name in names) else None

        if layer == "ip" and (cell := nth(IPV4)):
            src, dst, datagram, offset, more, number = cell
            found = Innermost(src=address(src), dst=address(dst), leads=found.leads)
            found = found.fragment(f"{datagram} of {number}", offset, more, number)
        elif layer == "ipv6" and (cell := nth(IPV6)):
            found = Innermost(src=address(cell[0]), dst=address(cell[1]), leads=found.leads)
        elif layer == "ipv6.fraghdr" and (cell := nth(FRAGMENT)):
            found = found.fragment(*cell)
        elif layer in ("tcp", "udp") and (ports := nth((f"{layer}.srcport", f"{layer}.dstport"))):
            found = found._replace(transport=layer, src_port=int(ports[0]), dst_port=int(ports[1]))
        elif layer == "arp":
            found = Innermost(leads=found.leads)
    return length, found


def tshark_frames(path: Path) -> list[tuple[int, Innermost]]:
    """Frame length and innermost packet of every frame, in one run: all values of each field, outermost first."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|"]
    for option in ALONE:
        command += ["-o", f"{option}:FALSE"]
    for name in FIELDS:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, check=False)
    return [innermost(line) for line in done.stdout.splitlines()]


def with_first(frames: list[tuple[int, Innermost]]) -> Iterator[tuple[int, Innermost]]:
    """Later fragments with the innermost addresses, transport and ports of their first one.

    That is the last one before them or, when the order was lost on the way, the next one after them; without one,
    they keep ports 0. A first one of a tunnel's datagram can itself carry a later fragment.
    """
    firsts: dict[Datagram, list[int]] = defaultdict(list)
    for at, (_, frame) in enumerate(frames):
        for datagram in frame.leads:
            firsts[datagram].append(at)
    for at, (length, frame) in enumerate(frames):
        for _ in range(8):
            if frame.follows is None or frame.follows not in firsts:
                break
            known = firsts[frame.follows]
            frame = frames[known[max(bisect(known, at) - 1, 0)]][1]
        yield length, frame


def tshark_opinion(path: Path) -> Opinion:
    """The opinion of tshark, from its own fields alone."""
    frames = tshark_frames(path)
    packets: Counter[Any] = Counter()
    wire: Counter[Any] = Counter()
    for length, frame in with_first(frames):
        if frame.transport:
            key = (frame.transport, *sorted(((frame.src, frame.src_port), (frame.dst, frame.dst_port))))
            packets[key] += 1
            wire[key] += length
    return Opinion(
        len(frames), sum(length for length, _ in frames), {key: (packets[key], wire[key]) for key in packets}
    )


@contextmanager
def tshark_opinions(paths: Iterable[Path]) -> Iterator[Iterator[Opinion]]:
    """tshark's opinion of each, in order; two run at a time from now on, while the caller does other things."""
    pool = ThreadPoolExecutor(2)
    try:
        yield pool.map(tshark_opinion, paths)
    finally:
        pool.shutdown(cancel_futures=True)


# -- both


def compare(ours: Opinion, theirs: Opinion) -> Difference:
    """How far two opinions of a capture are apart."""

    def pair(mine: int, other: int) -> tuple[int, int] | None:
        return None if mine == other else (mine, other)

    def alone(side: Flows, other: Flows) -> Sums:
        rows = [sums for key, sums in side.items() if other.get(key) != sums]
        return len(rows), sum(packets for packets, _ in rows), sum(wire for _, wire in rows)

    return Difference(
        pair(ours.packets, theirs.packets),
        pair(ours.wire_bytes, theirs.wire_bytes),
        None if ours.flows == theirs.flows else (alone(ours.flows, theirs.flows), alone(theirs.flows, ours.flows)),
    )


def name_of(path: Path) -> str:
    """The last three parts of the path: enough to tell files apart, wherever the corpus lies."""
    return "/".join(path.parts[-3:])


def read_list(path: Path = LIST) -> dict[str, tuple[Difference, str]]:
    """The checked-in list: difference and reason by file. Raises ValueError for an entry that is not like that."""

    def plain(value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    listed: dict[str, tuple[Difference, str]] = {}
    for entry in tomllib.loads(path.read_text())["difference"]:
        file, reason = entry.pop("file"), entry.pop("reason")
        sides = {name: (plain(pair["ours"]), plain(pair["tshark"])) for name, pair in entry.items()}
        difference = Difference(**sides)
        if not difference or file in listed:
            raise ValueError(f"{path.name}: {file} differs in nothing, or is listed twice")
        listed[file] = difference, reason
    return listed


HEAD = """\
# Captures of the corpus of which we and tshark say different things, how far they are apart, and why. A file that is
# not listed must agree, and a listed one must differ exactly so. Counts: python tests/agreement.py --rewrite
# Reasons: by hand. `file` is the last three parts of the path. `flows`: [how many, packets, wire bytes] of the TCP and
# UDP flows that the other side has not, or with other sums.
"""


def written(listed: Mapping[str, tuple[Difference, str]]) -> str:
    """The list as text."""
    text = HEAD
    for file, (difference, reason) in sorted(listed.items(), key=lambda item: (item[1][1], item[0])):
        text += f"\n[[difference]]\nfile = {json.dumps(file)}\n"
        for name in COUNTS:
            if pair := getattr(difference, name):
                ours, theirs = (list(side) if isinstance(side, tuple) else side for side in pair)
                text += f"{name} = {{ ours = {ours}, tshark = {theirs} }}\n"
        text += f"reason = {json.dumps(reason)}\n"
    return text


def complaints(found: Mapping[str, Difference], listed: Mapping[str, tuple[Difference, str]]) -> list[str]:
    """What is wrong with the list, given the difference (empty: none) of every file that is here."""
    wrong = []
    for file, difference in found.items():
        expected = listed[file][0] if file in listed else Difference()
        if difference != expected:
            wrong.append(f"{file}: found {difference or 'agreement'}, listed {expected or 'nothing'}")
    return wrong


def figures(found: Mapping[str, Difference]) -> str:
    """How many files agree on what, in one line."""
    agree = {name: sum(getattr(difference, name) is None for difference in found.values()) for name in COUNTS}
    share = agree["flows"] / len(found) if found else 1
    return (
        f"{len(found)} files: {agree['packets']} agree on packets, {agree['wire_bytes']} on wire bytes, "
        f"{agree['flows']} ({share:.1%}) on flows, {sum(not difference for difference in found.values())} on all"
    )


def main(arguments: list[str]) -> int:
    from conftest import corpus_files

    from classifier import classify
    from classifier.errors import CaptureError

    def report(path: Path) -> Any:
        try:
            return classify(path)
        except CaptureError:
            return None

    paths = corpus_files()
    if not paths or set(arguments) - {"--rewrite"}:
        print("usage: CLASSIFIER_CORPUS=DIR python tests/agreement.py [--rewrite]")
        return 2
    with tshark_opinions(paths) as theirs:
        both = ((path, our_opinion(report(path)), opinion) for path, opinion in zip(paths, theirs, strict=True))
        found = {name_of(path): compare(ours, opinion) for path, ours, opinion in both}
    listed = read_list() if LIST.exists() else {}
    print(*complaints(found, listed), figures(found), sep="\n")
    if "--rewrite" in arguments:
        fresh = {
            file: (difference, listed.get(file, (None, ""))[1]) for file, difference in found.items() if difference
        }
        LIST.write_text(written(fresh))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
