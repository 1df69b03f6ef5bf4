#!/usr/bin/env python3
"""Measure `classify` beside `cat` and the peers that are installed, all in one run, and write down the figures.

    python benchmarks/run.py                 # both captures, 5 rounds, a table on the screen
    python benchmarks/run.py --publish       # and results/YYYY-MM-DD.json and benchmarks/README.md

In: the captures of `generate.py` (made when missing). Out: per contender the median of the rounds, packets per second,
the ratio to `classify` and the highest memory. Every round runs every contender once, one after the other, so that
a busy moment of the machine hits all of them. Slow contenders get the first part of the capture and say so. Figures
are for comparing within one run; nothing here passes or fails by a time.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

import generate  # noqa: E402

SLOW_S, SLOW_ROUNDS = 4.0, 3
RESULTS = HERE / "results"
SCAPY = "import sys; from scapy.utils import PcapReader\nfor p in PcapReader(sys.argv[1]): p.time"


@dataclass
class Contender:
    """One program to time: a command, or a function that returns (seconds, peak KiB)."""

    name: str
    what: str
    packets: int
    command: list[str] | None = None
    function: Callable[[], tuple[float, int]] | None = None
    slow: bool = False  # gets SLOW_ROUNDS rounds, as does what takes longer than SLOW_S
    seconds: list[float] = field(default_factory=list)
    peak_kib: int = 0
    failed: str = ""

    def run(self) -> None:
        """Time one run; a command that fails is reported, not measured."""
        if self.failed:
            return
        if self.function is not None:
            seconds, peak = self.function()
            self.seconds.append(seconds)
            self.peak_kib = max(self.peak_kib, peak)
            return
        assert self.command is not None
        with Path(os.devnull).open("wb") as nothing, tempfile.TemporaryFile() as complaints:
            start = time.perf_counter()
            process = subprocess.Popen(self.command, stdout=nothing, stderr=complaints)
            _, status, usage = os.wait4(process.pid, 0)
            elapsed = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                complaints.seek(0)
                self.failed = f"exit {process.returncode}: {complaints.read()[-300:].decode(errors='replace').strip()}"
                return
        self.seconds.append(elapsed)
        if usage.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + 2048:
            # (a child's figure starts from its parent's: a smaller one says nothing)
            self.peak_kib = max(self.peak_kib, usage.ru_maxrss)


class WarmPass:
    """A process that keeps the kernels loaded and times `engine.read` when asked."""

    CODE = """
import resource, sys, time
sys.path.insert(0, sys.argv[2])
from classifier import engine
from classifier.matching import load_signatures
known = load_signatures()
for _ in sys.stdin:
    start = time.perf_counter()
    engine.read(sys.argv[1], signatures=known, compiled=True)
    print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
"""

    def __init__(self, path: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.CODE, path, str(HERE.parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self) -> tuple[float, int]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        seconds, peak = self.process.stdout.readline().split()
        return float(seconds), int(peak)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def count_packets(path: Path) -> int:
    """Packets of a pcap file, by walking its record headers."""
    count = 0
    with path.open("rb") as f:
        data = f.read(24)
        while True:
            data = f.read(16)
            if len(data) < 16:
                return count
            f.seek(struct.unpack_from("<I", data, 8)[0], os.SEEK_CUR)
            count += 1


def head(path: Path, packets: int, output: Path) -> Path:
    """The first `packets` records of a pcap file, as a file of their own."""
    with path.open("rb") as f, output.open("wb") as out:
        out.write(f.read(24))
        for _ in range(packets):
            record = f.read(16)
            if len(record) < 16:
                break
            out.write(record + f.read(struct.unpack_from("<I", record, 8)[0]))
    return output


def classify_command() -> list[str]:
    """The installed command of this environment, or the checkout's."""
    script = Path(sys.executable).with_name("classify")
    if script.exists():
        return [str(script)]
    code = f"import sys; sys.path.insert(0, {str(HERE.parent)!r}); from classifier.cli import main; sys.exit(main())"
    return [sys.executable, "-c", code]


def contenders(path: Path, packets: int, part: int, work: Path, warm: WarmPass) -> list[Contender]:
    """What takes part: ourselves, `cat`, and every peer found on this machine."""
    name = str(path)
    small, tiny = min(packets, part), min(packets, part // 5)
    part_path = head(path, small, work / "part.pcap")
    tiny_path = head(path, tiny, work / "tiny.pcap")
    result = [
        Contender(
            "classify",
            "whole process, report as JSON",
            packets,
            [*classify_command(), name, "--format", "json", "-o", str(work / "report.json")],
        ),
        Contender(
            "classify: the pass",
            "reading, decoding, flows; process warm",
            packets,
            function=warm,
        ),
        Contender("cat > /dev/null", "reading alone", packets, ["sh", "-c", 'cat "$0" > /dev/null', name]),
        Contender("cat, through a pipe", "into wc -c", packets, ["sh", "-c", 'cat "$0" | wc -c', name]),
    ]
    if shutil.which("ndpiReader"):
        result.append(Contender("ndpiReader", "flows and protocols", packets, ["ndpiReader", "-q", "-i", name]))
    if shutil.which("nfpcapd"):
        flows = work / "nfpcapd"
        flows.mkdir(exist_ok=True)
        result.append(Contender("nfpcapd", "flows", packets, ["nfpcapd", "-r", name, "-w", str(flows)]))
    if shutil.which("argus"):
        result.append(Contender("argus", "flows", packets, ["argus", "-r", name, "-w", str(work / "argus.out")]))
    if shutil.which("tshark"):
        command = ["tshark", "-n", "-q", "-r", str(part_path), "-z", "conv,tcp", "-z", "conv,udp"]
        result.append(Contender("tshark", f"conversations, first {small:,} packets", small, command, slow=True))
    command = [sys.executable, "-c", SCAPY, str(tiny_path)]
    result.append(Contender("scapy", f"reading packets, first {tiny:,} packets", tiny, command, slow=True))
    return result


def measure(kind: str, path: Path, rounds: int, part: int) -> dict[str, Any]:
    """Time all contenders on one capture, round by round."""
    packets = count_packets(path)
    with tempfile.TemporaryDirectory() as folder:
        warm = WarmPass(str(path))
        parts = contenders(path, packets, part, Path(folder), warm)
        for contender in parts[:4]:  # page cache, kernel cache, imports
            contender.run()
            contender.seconds.clear()
        for number in range(rounds):
            for contender in parts:
                slow = contender.seconds and contender.seconds[0] > SLOW_S
                if number < (min(SLOW_ROUNDS, rounds) if slow or contender.slow else rounds):
                    contender.run()
        warm.close()
    ours = statistics.median(parts[0].seconds) / packets if parts[0].seconds else 0.0
    rows = []
    for contender in parts:
        row: dict[str, Any] = {"name": contender.name, "what": contender.what, "packets": contender.packets}
        if contender.failed or not contender.seconds:
            row["failed"] = contender.failed
        else:
            median = statistics.median(contender.seconds)
            row |= {
                "rounds": len(contender.seconds),
                "median_s": round(median, 4),
                "min_s": round(min(contender.seconds), 4),
                "max_s": round(max(contender.seconds), 4),
                "packets_per_s": round(contender.packets / median),
                "time_ratio_to_classify": round(median / contender.packets / ours, 2) if ours else None,
                "peak_mib": round(contender.peak_kib / 1024) or None,
            }
        rows.append(row)
    return {"kind": kind, "file_bytes": path.stat().st_size, "packets": packets, "rows": rows}


def first_line(*command: str) -> str:
    """First line that a program prints about its version."""
    if not shutil.which(command[0]):
        return ""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    lines = [
        line
        for line in done.stdout.decode(errors="replace").splitlines()
        if any(digit in line for digit in "0123456789")
    ]
    return (lines or [""])[0].strip()


def machine() -> dict[str, Any]:
    """Processor, memory, system and the versions that matter for the figures."""
    model, memory = platform.processor(), 0
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
        memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    versions = {"python": platform.python_version()}
    for package in ("numpy", "numba", "scapy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = ""
    versions["tshark"] = first_line("tshark", "--version")
    versions["ndpiReader"] = first_line("ndpiReader", "-h")
    versions["nfpcapd"] = first_line("nfpcapd", "-V")
    versions["argus"] = first_line("argus", "-h")
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_mib": memory,
        "system": f"{platform.system()} {platform.release()}",
        "versions": versions,
    }


def table(capture: dict[str, Any]) -> str:
    """One capture's figures as a Markdown table."""
    lines = [
        "| program | what it does | median s | fastest to slowest s | packets/s | time per packet, ratio | peak MiB |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in capture["rows"]:
        if "failed" in row:
            lines.append(f"| {row['name']} | {row['what']} | failed: {row['failed'].splitlines()[-1:]} | | | | |")
            continue
        lines.append(
            f"| {row['name']} | {row['what']} | {row['median_s']:.3f} | {row['min_s']:.3f} to {row['max_s']:.3f} "
            f"| {row['packets_per_s']:,} | {row['time_ratio_to_classify']} | {row['peak_mib'] or ''} |"
        )
    return "\n".join(lines)


PAGE = """# Benchmarks

`python benchmarks/run.py --publish` wrote this page. It makes the captures when they are missing (seeded, about
1.8 GB in `benchmarks/data/`), runs every program once per round, {rounds} rounds
(3 for what takes longer than 4 s, and for tshark and scapy), and takes medians. The files
are in the page cache. The ratio is time per packet, `classify` being 1. Read the ratios; the seconds are this
machine's on that day, with whatever else it was doing (load average {load_before} before, {load_after} after).

{machine}

{captures}

`classify` is the whole command: start the interpreter, load the compiled kernels, read, decode, build flows and the
100-ms timeline, label, write the JSON report. *The pass* is the same without start-up, labels and report, inside a
warm process. The peers do other work than `classify` and less or more of it: nfpcapd and argus keep flow records,
ndpiReader also looks into payloads, tshark dissects every packet, scapy builds an object per packet. tshark and scapy
run on the first part of the file. Only time per packet compares.

The first run after an installation or an update also compiles the kernels; that run is in [start.md](start.md), with
what start-up takes. More: [evidence.md](evidence.md), what evidence and following streams cost; [scale.md](scale.md),
many captures; [../docs/performance.md](../docs/performance.md), where the time goes, and what is not reached.
"""


def page(result: dict[str, Any]) -> str:
    """The human page for one result."""
    about = result["machine"]
    lines = [
        f"{result['date']}: {about['processor']}, {about['cores']} cores, "
        f"{about['memory_mib'] / 1024:.0f} GiB memory, {about['system']}.",
        "",
        "Versions: " + ", ".join(f"{k} {v}" for k, v in about["versions"].items() if v) + ".",
    ]
    captures = []
    for capture in result["captures"]:
        captures.append(f"## {capture['kind']}: {capture['packets']:,} packets, {capture['file_bytes']:,} bytes\n")
        captures.append(table(capture) + "\n")
    return PAGE.format(
        rounds=result["rounds"],
        load_before=result["load"][0],
        load_after=result["load"][1],
        machine="\n".join(lines),
        captures="\n".join(captures).rstrip(),
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure classify beside cat and its peers.")
    parser.add_argument("kinds", nargs="*", help="video, small (default: both)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--packets", type=int, help="packets of the captures (default: full size)")
    parser.add_argument("--part", type=int, default=100_000, help="packets for tshark (a fifth of them for scapy)")
    parser.add_argument("--publish", action="store_true", help="write results/DATE.json and README.md")
    given = parser.parse_args(arguments)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its bytecode
    load_before = os.getloadavg()[0]
    captures = []
    for kind in given.kinds or ["video", "small"]:
        _, packets, flows, size = generate.PLANS[kind]
        packets = given.packets or packets
        path = generate.DATA / (f"{kind}.pcap" if not given.packets else f"{kind}-{packets}.pcap")
        if not path.exists():
            print(f"making {path.name}", file=sys.stderr)
            generate.generate(kind, path, packets=packets, flows=min(flows, packets), size=size, seed=1)
        captures.append(measure(kind, path, given.rounds, given.part))
        print(f"\n{kind}: {captures[-1]['packets']:,} packets\n\n{table(captures[-1])}", flush=True)
    result = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "rounds": given.rounds,
        "load": [round(load_before, 2), round(os.getloadavg()[0], 2)],
        "machine": machine(),
        "captures": captures,
    }
    if given.publish:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{result['date']}.json").write_text(json.dumps(result, indent=2) + "\n")
        (HERE / "README.md").write_text(page(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
