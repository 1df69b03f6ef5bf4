#!/usr/bin/env python3
"""Compressed captures: `classify` beside the decompressors of the package index, in turns.

`python benchmarks/compressed.py CAPTURE [--runs N]`. The capture is compressed once per format into a temporary folder
(gzip -6, zstd -3, lz4 -1). Then, in turns: every decompressor alone, its output thrown away, and the pass of
`classify` over the compressed file (one warm process), and over the plain one. Prints medians and, per format, the
pass as a multiple of the quickest decompressor, and of the longer one of that and the plain pass: 1.0 there means that
decompressing and classifying overlap completely.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lz4.frame
import zstandard
from isal import igzip, igzip_threaded

from classifier import engine
from classifier.matching import load_signatures

PIECE = 1 << 20


def drain(stream: Any) -> None:
    """Read to the end."""
    with stream:
        while stream.read(PIECE):
            pass


DECOMPRESSORS: dict[str, dict[str, Callable[[str], None]]] = {
    "gzip": {
        "isal.igzip": lambda path: drain(igzip.open(path)),
        "isal.igzip_threaded": lambda path: drain(igzip_threaded.open(path, threads=1)),
        "gzip of Python": lambda path: drain(gzip.GzipFile(path)),
    },
    "zstd": {"zstandard": lambda path: drain(zstandard.open(path))},
    "lz4": {"lz4.frame": lambda path: drain(lz4.frame.open(path))},
}
SUFFIX = {"gzip": ".gz", "zstd": ".zst", "lz4": ".lz4"}


def compress(source: Path, target: Path, form: str) -> None:
    """One file, whole."""
    data = source.read_bytes()
    if form == "gzip":
        target.write_bytes(gzip.compress(data, 6))
    elif form == "zstd":
        target.write_bytes(zstandard.ZstdCompressor(level=3).compress(data))
    else:
        target.write_bytes(lz4.frame.compress(data, compression_level=1))


def the_pass(path: str) -> None:
    """Read, decode, flows, evidence, streams."""
    engine.read(path, signatures=load_signatures(), compiled=True)


def timed(work: Callable[[str], None], path: str) -> float:
    start = time.perf_counter()
    work(path)
    return time.perf_counter() - start


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        jobs: dict[tuple[str, str], tuple[Callable[[str], None], str]] = {
            ("plain", "classify"): (the_pass, str(options.capture))
        }
        for form, tools in DECOMPRESSORS.items():
            path = Path(folder) / (options.capture.name + SUFFIX[form])
            compress(options.capture, path, form)
            for name, work in tools.items():
                jobs[form, name] = (work, str(path))
            jobs[form, "classify"] = (the_pass, str(path))
        times: dict[tuple[str, str], list[float]] = {key: [] for key in jobs}
        the_pass(str(options.capture))
        for _ in range(options.runs):
            for key, (work, path) in jobs.items():
                times[key].append(timed(work, path))
    middle = {key: statistics.median(values) for key, values in times.items()}
    plain = middle["plain", "classify"]
    print(
        "| format | what | median s | of the quickest decompressor | of the longer of both |\n|---|---|---:|---:|---:|"
    )
    print(f"| plain | classify, the pass | {plain:.3f} | | |")
    for form, tools in DECOMPRESSORS.items():
        best = min(middle[form, name] for name in tools)
        for name in tools:
            print(f"| {form} | {name} | {middle[form, name]:.3f} | {middle[form, name] / best:.2f} | |")
        mine = middle[form, "classify"]
        print(f"| {form} | classify, the pass | {mine:.3f} | {mine / best:.2f} | {mine / max(best, plain):.2f} |")


if __name__ == "__main__":
    main()
