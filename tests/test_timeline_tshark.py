"""Time bins agree with tshark: `io,stat` in whole seconds and in tenths, and arrival times binned from the epoch.

`io,stat` counts its intervals from the first packet, so it is given a copy that begins on a whole second (by
`editcap -t`). It rounds times to microseconds, leaves out what is earlier than the first packet, and what comes exactly
at the end of its last interval: such files are compared by the second way only.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from conftest import ROOT, corpus_files

import classifier
from classifier.errors import CaptureError

SAMPLES = sorted((ROOT / "captures").glob("*.pcap*"))
BY_STAT = 40
"""Corpus files for `io,stat`: an even choice of those with packets over some, but not too much, time."""
LONGEST_S = 3600
MOST_BYTES = 5_000_000
SECOND_IN_A_FRACTION = {
    "clusterfuzz-testcase-minimized-FuzzTarget-5669109772845056",
    "clusterfuzz-testcase-minimized-FuzzTarget-6223613626941440",
}
"""Records with 538,976,288 microseconds beside the seconds: we add them up, tshark shows the first digits of them."""
MS = 10**6

pytestmark = [
    pytest.mark.tshark,
    pytest.mark.skipif(shutil.which("editcap") is None, reason="editcap is not installed"),
]

Bins = dict[int, tuple[int, int]]
_ROW = re.compile(r"^\|\s*([0-9.]+)\s*<>\s*([0-9.]+|Dur)\s*\|\s*([0-9]+)\s*\|\s*([0-9]+)\s*\|", re.MULTILINE)


def our_bins(report: classifier.Report, width_ns: int) -> Bins:
    """(packets, wire bytes) per bin of everything."""
    out: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for row in report.with_timeline(bin=f"{width_ns // MS}ms").rows("timeline"):
        out[row["time_ns"]][0] += row["packets"]
        out[row["time_ns"]][1] += row["wire_bytes"]
    return {at: (packets, wire) for at, (packets, wire) in out.items()}


def stat_bins(path: Path, width_ns: int, begin_ns: int) -> Bins:
    """What `io,stat` says of a file that begins at `begin_ns`."""
    command = ["tshark", "-n", "-q", "-r", str(path), "-z", f"io,stat,{width_ns / 1e9:g}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return {
        begin_ns + round(float(start) * 10) * 100 * MS: (int(packets), int(wire))
        for start, _, packets, wire in _ROW.findall(done.stdout)
        if int(packets)
    }


def arrivals(path: Path, width_ns: int) -> Bins:
    """Arrival times and lengths of every frame, binned here."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    out: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for line in done.stdout.splitlines():
        time, length = line.split("\t")
        seconds, _, fraction = time.partition(".")
        at = int(seconds) * 10**9 + int(fraction.ljust(9, "0")[:9])
        out[at // width_ns * width_ns][0] += 1
        out[at // width_ns * width_ns][1] += int(length)
    return {at: (packets, wire) for at, (packets, wire) in out.items()}


def classified(path: Path) -> classifier.Report | None:
    try:
        return classifier.classify(path)
    except CaptureError:
        return None


def stat_candidates() -> list[Path]:
    """Corpus files that `io,stat` can be asked about: whole, in order at the start, of fair length."""
    fit = []
    for path in (path for path in corpus_files()[::2] if path.stat().st_size < MOST_BYTES):
        report = classified(path)
        if report is None or not report.complete or report.captures[0].problems:
            continue
        if 10 <= report.totals["packets"] <= 50_000 and 2 * 10**9 <= report.totals["duration_ns"] < LONGEST_S * 10**9:
            fit.append(path)
        if len(fit) == BY_STAT:
            break
    return fit


def moved_to_a_whole_second(path: Path, folder: Path) -> tuple[Path, int] | None:
    """A copy of the file whose first packet is at the beginning of a second; None when it is not the earliest."""
    command = ["tshark", "-n", "-r", str(path), "-c", "1", "-T", "fields", "-e", "frame.time_epoch"]
    first = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    seconds, _, fraction = first.partition(".")
    ns = int(fraction.ljust(9, "0")[:9])
    report = classified(path)
    if report is None or report.totals["first_ns"] != int(seconds) * 10**9 + ns:
        return None
    copy = folder / f"moved-{path.name}.pcapng"
    shift = f"-{ns / 1e9:.9f}"
    done = subprocess.run(["editcap", "-t", shift, str(path), str(copy)], capture_output=True, timeout=60, check=False)
    return (copy, int(seconds) * 10**9) if done.returncode == 0 else None


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("width_ns", [100 * MS, 1000 * MS], ids=["0.1", "1"])
def test_bins_of_the_samples_are_those_of_io_stat(path: Path, width_ns: int, tmp_path: Path) -> None:
    moved = moved_to_a_whole_second(path, tmp_path)
    assert moved is not None
    report = classified(moved[0])
    assert report is not None and report.totals["packets"] > 100
    assert our_bins(report, width_ns) == stat_bins(moved[0], width_ns, moved[1])
    assert our_bins(report, width_ns) == arrivals(moved[0], width_ns)


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.skipif(not corpus_files(), reason="CLASSIFIER_CORPUS is not set")
def test_bins_of_the_corpus_are_those_of_io_stat(tmp_path: Path) -> None:
    compared, wrong = 0, []
    for path in stat_candidates():
        moved = moved_to_a_whole_second(path, tmp_path)
        report = classified(moved[0]) if moved is not None else None
        if moved is None or report is None:
            continue
        length = (report.totals["duration_ns"] + 500) // 1000 * 1000
        for width_ns in (100 * MS, 1000 * MS):
            if length % width_ns and our_bins(report, width_ns) != stat_bins(moved[0], width_ns, moved[1]):
                wrong.append((path.name, width_ns))
        compared += 1
        moved[0].unlink()
    assert not wrong
    assert compared >= BY_STAT // 2


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.skipif(not corpus_files(), reason="CLASSIFIER_CORPUS is not set")
def test_bins_of_the_corpus_are_tsharks_arrival_times_from_the_epoch() -> None:
    compared, wrong = 0, []
    for path in corpus_files()[3::9]:
        report = classified(path)
        if report is None or not report.complete or report.captures[0].problems or not report.totals["packets"]:
            continue
        for width_ns in (100 * MS, 1000 * MS):
            if our_bins(report, width_ns) != arrivals(path, width_ns):
                wrong.append((path.name, width_ns))
        compared += 1
    assert {name for name, _ in wrong} <= SECOND_IN_A_FRACTION
    assert compared >= 50
