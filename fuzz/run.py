#!/usr/bin/env python3
"""Coverage-guided fuzzing with atheris, kernels interpreted so that every bound is checked.

    pip install "vms-classifier[fuzz]"          (atheris: Linux and macOS)
    python fuzz/run.py --seconds 180            all targets of fuzz/targets.py, several at a time, in three minutes
    python fuzz/run.py --seconds 3600 --target reader

In: seed captures (`CLASSIFIER_CORPUS` or the sample captures), what earlier runs found (--work). Out: a line per
target with the number of inputs and what was found, reproducers in --work; exit code 1 when something was found,
0 with a message when atheris is not installed (2 with --required).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

TARGETS = ("reader", "frame", "frames", "payload", "payloads", "inflate", "whole")
LONGEST = 4096
"""Bytes of an input: enough for every header twice, small enough for interpreted kernels."""
MEMORY_MIB = 1536
LIMIT_S = 10
RUNS = {"frame": 8000, "frames": 5000, "whole": 2000}
"""Inputs after which a target's process is replaced: under atheris memory grows with their number, by about 60 KiB a
frame and 300 KiB a whole capture. The same calls without atheris keep it level, so it is none of our findings."""


def prepare(target: str, folder: Path, corpus: Path | None) -> None:
    """Seeds of a target: heads of captures, or single frames out of them."""
    from classifier.capture import find_captures, open_capture
    from classifier.errors import CaptureError
    from fuzz.findings import scene_seeds
    from fuzz.targets import LINKS

    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return
    if target == "whole":
        for number, data in enumerate(scene_seeds(LONGEST)):
            (folder / f"scene-{number}").write_bytes(data)
    paths = [ROOT / "captures"] if corpus is None else [ROOT / "captures", corpus]
    found = [p for place in paths for p in sorted(place.rglob("*")) if p.is_file() and p.stat().st_size < 2_000_000]
    for number, path in enumerate(found):
        if target in ("reader", "whole"):
            (folder / f"seed-{number}").write_bytes(path.read_bytes()[:LONGEST])
            continue
        if target == "inflate":
            if path.stat().st_size < LONGEST and path.suffix in (".gz", ".zst", ".lz4"):
                (folder / f"seed-{number}").write_bytes(path.read_bytes())
            continue
        try:
            with open_capture(find_captures([str(path)])[0], compiled=False) as capture:
                batch = next(capture.batches(), None)
                if batch is None:
                    continue
                parts = []
                for record in batch.records[:4]:
                    start = int(record["offset"])
                    data = batch.buffer[start : start + min(int(record["captured"]), 1000)].tobytes()
                    link = int(record["link"])
                    kind = bytes([LINKS.index(link) if link in LINKS else len(LINKS) - 1])
                    parts.append((kind, data))
        except CaptureError:
            continue
        if target == "frame":
            for i, (kind, data) in enumerate(parts):
                (folder / f"seed-{number}-{i}").write_bytes(kind + data)
        elif target == "frames":
            body = b"".join(kind + len(data).to_bytes(2, "little") + data for kind, data in parts)
            (folder / f"seed-{number}").write_bytes(body[:LONGEST])
        else:
            for i, (_, data) in enumerate(parts):
                (folder / f"seed-{number}-{i}").write_bytes(data[42:])


def child(target: str, arguments: list[str]) -> None:
    """One target in this process; does not return."""
    import atheris

    with atheris.instrument_imports(include=["classifier"]):
        import classifier.engine  # noqa: F401
        from fuzz import targets
    assert tuple(targets.TARGETS) == TARGETS
    atheris.Setup([sys.argv[0], *arguments], targets.TARGETS[target])
    atheris.Fuzz()


def run_target(target: str, seconds: int, work: Path, corpus: Path | None) -> bool:
    """Fuzz one target in a process of its own; True when nothing was found."""
    seeds, found = work / target / "inputs", work / target / "found"
    prepare(target, seeds, corpus)
    found.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, "--child", target, str(seeds), f"-runs={RUNS.get(target, -1)}",
               f"-max_len={LONGEST}", f"-timeout={LIMIT_S}", f"-rss_limit_mb={MEMORY_MIB}",
               f"-artifact_prefix={found}/", "-print_final_stats=1", "-verbosity=1", "-close_fd_mask=1"]  # fmt: skip
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    end = time.monotonic() + seconds
    tried = edges = peak = 0
    while (left := round(end - time.monotonic())) > 0:
        done = subprocess.run(
            [*command, f"-max_total_time={left}"],
            capture_output=True, text=True, errors="replace", env=environment, check=False,
        )  # fmt: skip
        said = done.stderr
        tried += _most(r"number_of_executed_units:\s*(\d+)", said)
        edges = max(edges, _most(r"cov: (\d+)", said))
        peak = max(peak, _most(r"peak_rss_mb:\s*(\d+)", said))
        if done.returncode:
            break
    good = done.returncode == 0 and tried > 0
    print(
        f"{target}: {tried} inputs, {edges} edges, {peak} MiB, {'nothing found' if good else 'FOUND'}",
        flush=True,
    )
    if not good:
        place = work / target / "log.txt"
        place.write_text(said)
        print("\n".join(said.splitlines()[-40:]), file=sys.stderr)
        print(f"{target}: see {place} and {found}", file=sys.stderr)
    return good


def _most(pattern: str, text: str) -> int:
    return max((int(number) for number in re.findall(pattern, text)), default=0)


def main() -> int:
    """Run; 0 when nothing was found."""
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=180, help="for all targets together (%(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at a time (%(default)s)")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one; may be repeated")
    parser.add_argument("--work", type=Path, default=Path("fuzz-findings") / "atheris")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs found")
    parser.add_argument("--required", action="store_true", help="fail when atheris is not installed")
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print('coverage-guided fuzzing skipped: atheris is not installed (pip install "vms-classifier[fuzz]")')
        return 2 if options.required else 0
    if options.fresh:
        shutil.rmtree(options.work, ignore_errors=True)
    place = os.environ.get("CLASSIFIER_CORPUS")
    targets = options.target or list(TARGETS)
    jobs = min(max(options.jobs, 1), len(targets))
    rounds = -(-len(targets) // jobs)
    each = max(options.seconds // rounds, 1)
    corpus = Path(place) if place else None
    with ThreadPoolExecutor(jobs) as pool:  # each target is a process of its own
        good = list(pool.map(lambda target: run_target(target, each, options.work, corpus), targets))
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
