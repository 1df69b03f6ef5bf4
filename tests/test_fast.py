"""`--fast` and `Limits(follow=False)`: the same labels and sums, without the quality of streams and connections."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from classifier import engine
from classifier.limits import Limits

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = sorted(path for path in (ROOT / "captures").iterdir() if path.suffix in (".pcap", ".pcapng"))
SAME = ("flow_id", "orig_address", "orig_port", "resp_address", "resp_port", "component", "grade", "candidates")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("compiled", [False, True])
def test_labels_and_sums_are_the_same(path: Path, compiled: bool) -> None:
    whole = engine.classify(path, compiled=compiled)
    fast = engine.classify(path, compiled=compiled, limits=Limits(follow=False))
    assert fast.totals == whole.totals
    for one, other in zip(fast.rows("flows"), whole.rows("flows"), strict=True):
        assert [one[name] for name in SAME] == [other[name] for name in SAME]
    assert fast.rows("streams") == []


def test_the_report_says_what_was_left_out() -> None:
    command = [sys.executable, "-m", "classifier", str(SAMPLES[0]), "--fast"]
    table = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=120, check=True)
    assert b"were not followed" in table.stdout
    done = subprocess.run([*command, "--format", "json"], capture_output=True, cwd=ROOT, timeout=120, check=True)
    assert [problem["code"] for problem in json.loads(done.stdout)["problems"]] == ["not_followed"]
