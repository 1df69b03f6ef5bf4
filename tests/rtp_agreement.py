"""What we and tshark say of every RTP stream, and where we may differ.

In: captures. Out: per stream of both the figures, and what is wrong with the checked-in list `data/rtp_agreement.toml`.
Next: `test_corpus_rtp`. `python tests/rtp_agreement.py FILE...` prints what differs.

tshark sees RTP where signalling names it or, here, wherever a UDP packet looks like it (its heuristic is switched on).
A stream of ours that tshark has too must have the same packets and losses; jitter is compared where tshark knows the
clock. Ours counts whole ticks of the clock, so it may be one tick off. tshark's streams of fewer than five packets, or
of none in a row, are none for us.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import classifier

LIST = Path(__file__).resolve().parent / "data" / "rtp_agreement.toml"
HEURISTIC = ("-o", "rtp.heuristic_rtp:TRUE", "--enable-heuristic", "rtp_udp")

_LINE = re.compile(
    r"^\s*[\d.]+\s+[\d.]+\s+(?P<src>\S+)\s+(?P<sport>\d+)\s+(?P<dst>\S+)\s+(?P<dport>\d+)\s+(?P<ssrc>0x[0-9A-F]{8})\s+"
    r"(?P<payload>.*?)\s+(?P<packets>\d+)\s+(?P<lost>-?\d+) \(.*?%\)"
    r"\s+\S+\s+\S+\s+\S+\s+(?P<min>\S+)\s+(?P<mean>\S+)\s+(?P<max>\S+)"
)

Key = tuple[str, int, str, int, str]


def tshark_streams(path: Path) -> dict[Key, dict[str, Any]]:
    """`-z rtp,streams`: packets, lost, mean and highest jitter in ms (None where it knows no clock)."""
    command = ["tshark", "-r", str(path), *HEURISTIC, "-q", "-z", "rtp,streams"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300).stdout
    found: dict[Key, dict[str, Any]] = {}
    for line in said.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        key = (match["src"], int(match["sport"]), match["dst"], int(match["dport"]), match["ssrc"].lower())
        clocked = float(match["max"]) > 0
        found[key] = {
            "packets": int(match["packets"]),
            "lost": int(match["lost"]),
            "jitter_ms": float(match["mean"]) if clocked else None,
            "max_jitter_ms": float(match["max"]) if clocked else None,
        }
    return found


def our_streams(path: Path) -> dict[Key, dict[str, Any]]:
    """The RTP streams over UDP of the report."""
    rows = classifier.classify(path).rows("streams")
    ends = ("sender_address", "sender_port", "receiver_address", "receiver_port", "ssrc")
    return {
        (row[ends[0]], row[ends[1]], row[ends[2]], row[ends[3]], row[ends[4]]): row
        for row in rows
        if row["kind"] == "rtp" and row["transport"] == "udp"
    }


def differences(path: Path) -> tuple[int, list[str]]:
    """(streams that both have, what differs, in words)."""
    ours, theirs = our_streams(path), tshark_streams(path)
    found = [f"only ours: {_name(key)}" for key in sorted(ours.keys() - theirs.keys())]
    for key in sorted(theirs.keys() - ours.keys()):
        if theirs[key]["packets"] >= 5:
            found.append(f"only tshark's: {_name(key)}, {theirs[key]['packets']} packets, {theirs[key]['lost']} lost")
    both = sorted(ours.keys() & theirs.keys())
    for key in both:
        mine, other = ours[key], theirs[key]
        for name in ("packets", "lost"):
            if mine[name] != other[name]:
                found.append(f"{name}: {_name(key)}: {mine[name]}, tshark {other[name]}")
        for name in ("jitter_ms", "max_jitter_ms"):
            tick = 1000 / mine["clock_rate"]
            if other[name] is not None and (mine[name] is None or abs(mine[name] - other[name]) > tick):
                found.append(f"{name}: {_name(key)}")
    return len(both), found


def _name(key: Key) -> str:
    return f"{key[4]} to {key[2]} port {key[3]}"


def read_list() -> dict[str, dict[str, Any]]:
    """By file name: `differences` and `reason`."""
    with LIST.open("rb") as file:
        listed: dict[str, dict[str, Any]] = tomllib.load(file)
    return listed


def complaints(found: Mapping[str, list[str]], listed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """New differences, entries that are not true any more, entries without a reason."""
    wrong = []
    for name in sorted(found.keys() | listed.keys()):
        known = list(listed.get(name, {}).get("differences", ()))
        if found.get(name, []) != known:
            wrong.append(f"{name}: found {found.get(name, [])}, listed {known}")
        elif name in listed and not listed[name].get("reason"):
            wrong.append(f"{name}: listed without a reason")
    return wrong


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        both, differing = differences(Path(argument))
        if both or differing:
            print(f"[{Path(argument).name!r}]  # {both} streams of both")
            for text in differing:
                print(f"  {text}")
