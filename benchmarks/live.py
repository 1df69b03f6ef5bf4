#!/usr/bin/env python3
"""How many packets a second are held from a pipe: `python benchmarks/live.py [--seconds S]`.

A writer in its own process sends the packets of `generate.py video` and `small` into `classify -` at a fixed rate
(bursts of a millisecond), through an ordinary pipe. A rate is held when the writer never waits for the pipe longer than
a quarter of a second behind its schedule: a capturing program would otherwise fill the kernel's buffer and drop. The
rate is raised by a quarter until it is not held. With root, iproute2, tcpdump and tcpreplay (`--link`), the same
through a virtual link: tcpreplay sends on one end, `tcpdump -w - | classify -` reads the other; tcpdump's own count
tells what was dropped.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import generate  # noqa: E402

BEHIND_S = 0.25
STEP = 1.25
PIPE = 1 << 20
CLASSIFY = [sys.executable, "-m", "classifier", "-", "--quiet", "--format", "json", "-o", os.devnull]


def pieces(data: bytes, count: int) -> list[memoryview]:
    """`count` packets a piece, whole records."""
    view, out, at, start, held = memoryview(data), [], 24, 24, 0
    while at < len(data):
        at += 16 + int.from_bytes(data[at + 8 : at + 12], "little")
        held += 1
        if held == count:
            out.append(view[start:at])
            start, held = at, 0
    if start < at:
        out.append(view[start:at])
    return out


def held(data: bytes, rate: int, seconds: float) -> bool:
    """Whether a rate of packets a second is taken from a pipe for so long."""
    import fcntl

    parts = pieces(data, max(1, rate // 1000))
    with subprocess.Popen(CLASSIFY, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        pipe = process.stdin.fileno()
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)
        os.write(pipe, data[:24])
        process_ready(pipe, parts[0])
        start, worst = time.perf_counter(), 0.0
        for number in range(int(seconds * 1000)):
            due = start + number / 1000
            now = time.perf_counter()
            if now < due:
                time.sleep(due - now)
            part = parts[number % len(parts)]
            while part:
                part = part[os.write(pipe, part) :]
            worst = max(worst, time.perf_counter() - due - 0.001)
            if worst > BEHIND_S:
                break
        process.stdin.close()
        process.wait()
    return worst <= BEHIND_S


def process_ready(pipe: int, part: memoryview) -> None:
    """Send some packets ahead and wait until the kernels are loaded: start-up is not what is measured."""
    while part:
        part = part[os.write(pipe, part) :]
    time.sleep(3)


def over_link(path: Path, rate: int, seconds: float) -> tuple[int, int, int]:
    """(sent, captured, dropped by the kernel) through a virtual link at so many packets a second."""
    names = ("vmslive0", "vmslive1")
    subprocess.run(["ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1]], check=True)
    try:
        for name in names:
            subprocess.run(["ip", "link", "set", name, "mtu", "9000", "up"], check=True)
        words = ["tcpdump", "-i", names[1], "-B", "16384", "-Q", "in", "-w", "-"]
        dump = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        reader = subprocess.Popen(CLASSIFY, stdin=dump.stdout)
        time.sleep(3)
        sender = [
            "tcpreplay",
            "-i",
            names[0],
            "--pps",
            str(rate),
            "--limit",
            str(int(rate * seconds)),
            "--loop",
            "1000",
        ]
        said = subprocess.run([*sender, str(path)], capture_output=True, text=True, check=False)
        time.sleep(1)
        dump.terminate()
        assert dump.stderr is not None
        text = dump.stderr.read().decode()
        reader.wait()
    finally:
        subprocess.run(["ip", "link", "del", names[0]], check=False)
    sent = re.search(r"Actual: (\d+) packets", said.stdout + said.stderr)
    count = {word: int(number) for number, word in re.findall(r"(\d+) packets? (captured|dropped)", text)}
    return int(sent[1]) if sent else 0, count.get("captured", 0), count.get("dropped", 0)


def main() -> None:
    """Print what was held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--link", action="store_true", help="through a virtual link instead (root)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for kind, size, start in (("video", 1100, 100_000), ("small", 130, 200_000)):
            path = Path(folder) / f"{kind}.pcap"
            generate.generate(kind, path, packets=200_000, flows=300, size=size, seed=1)
            if options.link:
                if shutil.which("tcpreplay") is None:
                    raise SystemExit("tcpreplay is not installed")
                for rate in (50_000, 100_000, 200_000, 400_000):
                    sent, captured, dropped = over_link(path, rate, options.seconds)
                    pace = f"{rate:,} packets/s asked" if sent >= rate * options.seconds * 0.99 else "less was sent"
                    print(f"{kind}: {pace}: {sent:,} sent, {captured:,} captured, {dropped:,} dropped", flush=True)
                continue
            data = path.read_bytes()
            rate, best = start, 0
            while held(data, rate, options.seconds):
                best, rate = rate, int(rate * STEP)
            bits = best * (len(data) / 200_000 - 16) * 8
            print(f"{kind}: {best:,} packets/s held ({bits / 1e9:.2f} Gbit/s), {rate:,} not", flush=True)


if __name__ == "__main__":
    main()
