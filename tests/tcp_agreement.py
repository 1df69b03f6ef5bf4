"""What we and tshark say of the transport of every TCP flow, per direction, and where we may differ.

In: captures. Out: counts per direction, and what is wrong with the checked-in list `data/tcp_agreement.toml`. Next:
`test_corpus_tcp`. `CLASSIFIER_CORPUS=DIR python tests/tcp_agreement.py [--rewrite]` prints the figures; with
`--rewrite` it brings the list's counts up to date. Reasons are written by hand, always.

Equal must be, for each direction of each five-tuple: retransmissions and segments out of order (those with data),
zero windows, keep-alives, duplicate ACKs and gaps. Of ACKs for what was not captured only whether there are any: tshark
counts other ones when several segments are missing. And for each connection its state: tshark tells which segments are
one connection (`tcp.stream`) and their flags, `state_of` what they come to.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from agreement import address, name_of

from classifier import engine
from classifier.flows.table import TCP_STATES, FlowTable, address_text
from classifier.matching import load_signatures

LIST = Path(__file__).resolve().parent / "data" / "tcp_agreement.toml"

COUNTS = {
    "retransmission": "retransmitted",
    "out_of_order": "out_of_order",
    "zero_window": "zero_windows",
    "keep_alive": "keep_alives",
    "duplicate_ack": "duplicate_acks",
    "lost_segment": "gaps",
    "ack_lost_segment": "unseen_acks",
}
"""tshark's `tcp.analysis.` field, and ours of `TCP_FACTS`."""
WITH_DATA = ("retransmission", "out_of_order")
ANY = "ack_lost_segment"
STATE = "state"

Endpoint = tuple[str, int]
Opinion = Counter[tuple[str, Endpoint, Endpoint]]
"""How often, by field, sender and receiver of the segments that are meant."""
Pairs = dict[str, list[int]]
"""By field: the sums of ours and of tshark's over all directions, where any direction differs."""


def our_opinion(path: Path) -> Opinion:
    """Counts by one pass; those of flows that used one five-tuple after another are added up."""
    result = engine.read(path, signatures=load_signatures())
    flows, tcp = result.flows, result.tcp
    found: Opinion = Counter()
    for side, sender, receiver in ((tcp.orig, "orig", "resp"), (tcp.resp, "resp", "orig")):
        for field, fact in COUNTS.items():
            for k in np.flatnonzero(side[fact]):
                ends = endpoint(flows, sender, int(tcp.flow[k])), endpoint(flows, receiver, int(tcp.flow[k]))
                found[field, *ends] += 1 if field == ANY else int(side[fact][k])
    for key in [key for key in found if key[0] == ANY]:
        found[key] = 1
    for k in np.flatnonzero(flows.tcp_state):
        ends = sorted((endpoint(flows, "orig", int(k)), endpoint(flows, "resp", int(k))))
        found[f"{STATE} {TCP_STATES[flows.tcp_state[k]]}", ends[0], ends[1]] += 1
    return found


def endpoint(flows: FlowTable, side: str, flow: int) -> Endpoint:
    """Address and port of one end of a flow."""
    words = getattr(flows, f"{side}_addr")[flow]
    return address_text(words, int(flows.version[flow])), int(getattr(flows, f"{side}_port")[flow])


HEADERS = (
    "ip.src",
    "ipv6.src",
    "tcp.srcport",
    "ip.dst",
    "ipv6.dst",
    "tcp.dstport",
    "tcp.len",
    "tcp.stream",
    "tcp.flags",
    "icmp.type",
    "icmpv6.type",
    "frame.protocols",
)
SYN, RST, FIN, ACK = 2, 4, 1, 16
Segment = tuple[Endpoint, int]
"""Who sent it, and its flags."""


def state_of(segments: Sequence[Segment]) -> str:
    """The state of a connection (`classifier.flows.table.TCP_STATES`), from all its segments."""

    def senders(mask: int, flags: int) -> set[Endpoint]:
        return {sender for sender, had in segments if had & mask == flags}

    syn, synack = senders(SYN | ACK, SYN), senders(SYN | ACK, SYN | ACK)
    plain, fin, rst = senders(SYN | RST | ACK, ACK), senders(FIN, FIN), senders(RST, RST)
    everybody = {sender for sender, _ in segments}
    if len(syn) == 1:
        opener = next(iter(syn))
    elif synack and not syn:
        opener = next(iter(everybody - synack), ("", 0))  # perhaps it was not captured
    else:
        opener = segments[0][0]
    opened = (bool(syn) or bool(synack - {opener})) and opener in plain
    if opened:
        return "closed" if len(fin) == 2 else "reset" if rst else "half_closed" if fin else "established"
    if synack - {opener}:
        return "reset" if rst else "syn_ack_only"
    if syn:
        return "refused" if rst - {opener} else "attempt"
    return "midstream_closed" if len(fin) == 2 else "midstream_reset" if rst else "midstream"


def tshark_opinion(path: Path) -> Opinion:
    """Counts by tshark's sequence analysis, of the innermost headers."""
    command = ["tshark", "-n", "-r", str(path), "-Y", "tcp", "-T", "fields", "-E", "occurrence=l"]
    for name in (*HEADERS, *(f"tcp.analysis.{field}" for field in COUNTS)):
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, check=False)
    found: Opinion = Counter()
    streams: dict[str, list[Segment]] = {}
    ends: dict[str, list[Endpoint]] = {}
    for line in done.stdout.splitlines():
        cells = line.split("\t")
        if len(cells) != len(HEADERS) + len(COUNTS) or not cells[2]:
            continue
        layers = [layer for layer in cells[11].split(":") if layer in ("ip", "ipv6")]
        six = int(layers[-1] == "ipv6")  # the innermost
        sender = address(cells[six]), int(cells[2])
        receiver = address(cells[3 + six]), int(cells[5])
        if not cells[9] and not cells[10]:  # not what an ICMP error quotes
            streams.setdefault(cells[7], []).append((sender, int(cells[8] or "0", 16)))
            ends.setdefault(cells[7], sorted((sender, receiver)))
        for field, said in zip(COUNTS, cells[len(HEADERS) :], strict=True):
            if not said or (field in WITH_DATA and cells[6] == "0"):
                continue
            if field == ANY:
                found[field, receiver, sender] = 1
            else:
                found[field, sender, receiver] += 1
    for stream, segments in streams.items():
        found[f"{STATE} {state_of(segments)}", ends[stream][0], ends[stream][1]] += 1
    return found


@contextmanager
def tshark_opinions(paths: Iterable[Path]) -> Iterator[Iterator[Opinion]]:
    """tshark's opinion of each, in order; two run at a time from now on, while the caller does other things."""
    pool = ThreadPoolExecutor(2)
    try:
        yield pool.map(tshark_opinion, paths)
    finally:
        pool.shutdown(cancel_futures=True)


def compare(ours: Opinion, theirs: Opinion) -> Pairs:
    """Where two opinions of a capture differ."""
    pairs: Pairs = {}
    for field in COUNTS:
        mine, other = ({key: n for key, n in side.items() if key[0] == field and n} for side in (ours, theirs))
        if mine != other:
            pairs[field] = [sum(mine.values()), sum(other.values())]
    mine, other = (Counter({k: n for k, n in side.items() if k[0].startswith(STATE)}) for side in (ours, theirs))
    if mine != other:
        pairs[STATE] = [(mine - other).total(), (other - mine).total()]
    return pairs


HEAD = """\
# Captures of the corpus whose TCP we and tshark count differently, by how much, and why. A file that is not listed must
# agree, and a listed one must differ exactly so: [ours, tshark's], summed over all directions, of each count in which
# any direction differs; `state`: connections that only we, and only tshark, give that state. Counts:
# python tests/tcp_agreement.py --rewrite; reasons: by hand.
"""


def read_list() -> dict[str, tuple[Pairs, str]]:
    """The checked-in list: differences and reason by file."""
    listed = {}
    for entry in tomllib.loads(LIST.read_text())["difference"] if LIST.exists() else ():
        file, reason = entry.pop("file"), entry.pop("reason")
        listed[file] = entry, reason
    return listed


def written(listed: Mapping[str, tuple[Pairs, str]]) -> str:
    """The list as text."""
    text = HEAD
    for file, (pairs, reason) in sorted(listed.items(), key=lambda item: (item[1][1], item[0])):
        text += f"\n[[difference]]\nfile = {json.dumps(file)}\n"
        text += "".join(f"{field} = {pair}\n" for field, pair in pairs.items())
        text += f"reason = {json.dumps(reason)}\n"
    return text


def complaints(found: Mapping[str, Pairs], listed: Mapping[str, tuple[Pairs, str]]) -> list[str]:
    """What is wrong with the list, given the differences (empty: none) of every file that is here."""
    wrong = [f"{file}: listed without a reason" for file, (_, reason) in listed.items() if not reason]
    for file, pairs in found.items():
        expected = listed[file][0] if file in listed else {}
        if pairs != expected:
            wrong.append(f"{file}: found {pairs or 'agreement'}, listed {expected or 'nothing'}")
    return wrong


def figures(found: Mapping[str, Pairs], theirs: Counter[str]) -> str:
    """How many files agree on what, one line per count."""
    lines = [
        f"{field}: {sum(field not in p for p in found.values())} of {len(found)} files, {theirs[field]} by tshark"
        for field in (*COUNTS, STATE)
    ]
    return "\n".join([*lines, f"all: {sum(not pairs for pairs in found.values())}"])


def measure(paths: list[Path]) -> tuple[dict[str, Pairs], Counter[str]]:
    """Differences by file, and how much tshark counts in all."""
    from classifier.errors import CaptureError

    found: dict[str, Pairs] = {}
    sums: Counter[str] = Counter()
    with tshark_opinions(paths) as opinions:
        for path, theirs in zip(paths, opinions, strict=True):
            try:
                ours = our_opinion(path)
            except CaptureError:
                ours = Counter()
            found[name_of(path)] = compare(ours, theirs)
            for (field, *_), n in theirs.items():
                sums[field] += n
                if field.startswith(STATE):
                    sums[STATE] += n
    return found, sums


def main(arguments: list[str]) -> Any:
    from conftest import corpus_files

    paths = corpus_files()
    if not paths or set(arguments) - {"--rewrite"}:
        print("usage: CLASSIFIER_CORPUS=DIR python tests/tcp_agreement.py [--rewrite]")
        return 2
    found, sums = measure(paths)
    listed = read_list()
    print(*complaints(found, listed), figures(found, sums), sep="\n")
    if "--rewrite" in arguments:
        LIST.write_text(written({f: (pairs, listed.get(f, ({}, ""))[1]) for f, pairs in found.items() if pairs}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
