"""Damaged captures through the whole library: no exception but ours, nothing lost between the reader and the report."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from capture_files import T0, enhanced, interface, pcap_header, pcap_record, section
from hypothesis import given, settings
from hypothesis import strategies as st

import classifier
from classifier import engine
from classifier.errors import CaptureError, SignatureError
from classifier.findings import Rule
from classifier.matching import load_signatures
from fuzz import mutate, run
from fuzz.findings import WrongFinding, check_findings, scene_seeds
from fuzz.mutations import LENGTHS, mutant
from fuzz.targets import TARGETS, frames, inflate, payload, reader

pytestmark = pytest.mark.damaged

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = [
    (ROOT / "captures" / name).read_bytes()[:6000]
    for name in ("digifort_site.pcapng", "digital_sentry_site.pcap", "neighbours.pcapng", "recorded_site.pcap")
]
SPEEDS = pytest.mark.parametrize("compiled", [False, True], ids=["interpreted", "compiled"])
SIGNATURES = load_signatures()


@pytest.mark.parametrize(("compiled", "count"), [(True, 400), (False, 40)], ids=["compiled", "interpreted"])
def test_mutated_samples_never_raise_and_lose_nothing(compiled: bool, count: int) -> None:
    """Seeded: every tenth up to the report in every form, the others up to the flow table."""
    kinds = set()
    for number in range(count):
        data = mutant(11, number, SAMPLES, 6000)
        kinds.update(mutate.run_one(data, number % 10 == 0, compiled, SIGNATURES))
    assert kinds >= {"captures", "damaged", "reports", "findings"}


def test_mutated_faults_break_no_rule() -> None:
    """Captures that rules fire on, bent: whatever they then hold, rules answer, also with settings at their ends."""
    seeds = scene_seeds(65_536, one_each=True)
    kinds: list[str] = []
    for number in range(200):
        kinds += mutate.run_one(mutant(13, number, seeds, 65_536), True, True, SIGNATURES)
    assert kinds.count("findings") > kinds.count("reports") > 150


def test_a_rule_that_breaks_counts_as_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("of its own")

    report = classifier.classify(ROOT / "captures" / "recorded_site.pcap")
    assert check_findings(report) > 0
    monkeypatch.setattr("classifier.findings.examine.all_rules", lambda: [Rule("X", "info", "x", "x", "x", broken)])
    with pytest.raises(WrongFinding, match="of its own"):
        check_findings(report)


@SPEEDS
@settings(max_examples=30)
@given(data=st.data())
def test_bent_samples_never_raise_and_lose_nothing(compiled: bool, data: st.DataObject) -> None:
    """The same with hypothesis, which shrinks what it finds."""
    content = bytearray(data.draw(st.sampled_from(SAMPLES))[:3000])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 4))
        kind = data.draw(st.sampled_from(["flip", "length", "cut", "delete", "splice"]))
        if kind == "flip":
            content[at] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "length":
            content[at : at + 4] = struct.pack("<I", data.draw(st.sampled_from(LENGTHS)))
        elif kind == "cut":
            del content[max(at, 8) :]
        elif kind == "delete":
            del content[at : at + data.draw(st.integers(1, 40))]
        else:
            content[at:] = data.draw(st.sampled_from(SAMPLES))[at : at + 1000]
        content += bytes(max(8 - len(content), 0))
    mutate.run_one(bytes(content), True, compiled, SIGNATURES)


def test_the_runner_of_the_coverage_guided_fuzzer_knows_every_target() -> None:
    assert tuple(TARGETS) == run.TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_targets_of_the_coverage_guided_harness(name: str) -> None:
    """What atheris runs for hours, here for moments: mutants, and their beginnings as frames and payloads."""
    size = {"reader": 1500, "whole": 1500}.get(name, 300)
    for number in range({"whole": 25, "reader": 60}.get(name, 300)):
        data = mutant(12, number, SAMPLES, size)
        TARGETS[name](data if name in ("reader", "whole") else data[number % len(data) :])


@given(st.binary(max_size=400))
def test_noise_in_every_parser(noise: bytes) -> None:
    payload(noise)
    payload(b"\x05\x40\x00ServerName;" + noise)
    inflate(noise)
    frames(noise)


@settings(max_examples=30)
@given(st.binary(max_size=200), st.sampled_from([pcap_header(), section() + interface(), section(">")]))
def test_noise_behind_a_header(noise: bytes, head: bytes) -> None:
    reader(head + noise)


def test_every_payload_parser_is_fuzzed() -> None:
    """A new parser under `evidence` has to be added to the harness."""
    import importlib
    import inspect
    import pkgutil

    import classifier.evidence

    fuzzed = (ROOT / "fuzz" / "targets.py").read_text(encoding="utf-8")
    for module in pkgutil.iter_modules(classifier.evidence.__path__):
        for name, _ in inspect.getmembers(
            importlib.import_module(f"classifier.evidence.{module.name}"), inspect.isfunction
        ):
            if name.startswith("parse"):
                assert f"{name}(" in fuzzed or f"    {name}," in fuzzed, f"{module.name}.{name} is not fuzzed"


def classify(data: bytes) -> Any:
    return engine.classify(io.BytesIO(data))


@pytest.mark.parametrize("claimed", [1 << 20, 1 << 24, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_record_that_claims_too_much_costs_itself_alone(claimed: int) -> None:
    frame = SAMPLES[3][40:140]
    good = [pcap_record(frame, T0 + i) for i in range(20)]
    lie = struct.pack("<IIII", T0 + 5, 0, claimed, claimed) + frame
    report = classify(pcap_header() + b"".join(good[:5]) + lie + b"".join(good[5:]))
    assert report.totals["packets"] == 20
    (problem,) = report.captures[0].problems
    assert (problem.code, problem.record) == ("damaged", 6)
    assert problem.offset == 24 + 5 * len(good[0])


@pytest.mark.parametrize("claimed", [28, 1 << 24, (1 << 24) + 4, 0x7FFFFFFC, 0xFFFFFFFC])
def test_a_block_that_claims_too_much_costs_itself_alone(claimed: int) -> None:
    good = [enhanced(SAMPLES[3][40:140], (T0 + i) * 1_000_000) for i in range(20)]
    lie = struct.pack("<II", 6, claimed) + good[0][8:]
    report = classify(section() + interface() + b"".join(good[:5]) + lie + b"".join(good[5:]))
    assert report.totals["packets"] == 20
    assert [problem.code for problem in report.captures[0].problems] == ["damaged"]


def test_mutants_are_the_same_for_the_same_seed() -> None:
    assert mutant(1, 2, SAMPLES) == mutant(1, 2, SAMPLES) != mutant(1, 3, SAMPLES)


class TestDriver:
    """The driver notices what it is there for."""

    @pytest.fixture
    def run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
        def go(*arguments: str) -> tuple[int, dict[str, Any], list[str]]:
            found = tmp_path / "found"
            code = mutate.main(["--corpus", str(ROOT / "captures"), "--findings", str(found), *arguments])
            return code, json.loads(capfd.readouterr().out), sorted(p.name for p in found.iterdir())

        return go

    def test_a_clean_run(self, run: Any) -> None:
        code, summary, files = run("--inputs", "40")
        assert (code, summary["inputs"], summary["failures"], files) == (0, 40, 0, [])
        assert summary["captures"] + summary.get("refused", 0) == 40

    def test_memory_beyond_the_cap(self, run: Any) -> None:
        code, summary, files = run("--inputs", "40", "--memory", "1")
        assert code == 1
        assert summary["memory"] == len(files) > 0

    @pytest.mark.parametrize("kind", ["hang", "crash"])
    def test_a_hang_and_a_crash(self, run: Any, kind: str) -> None:
        """The worker is replaced, the rest is still done, the input is kept."""
        code, summary, files = run("--inputs", "30", "--limit", "1", "--first", "100", "--fault", f"{kind}:105")
        assert (code, summary["inputs"], summary["failures"]) == (1, 30, 1)
        assert files == [f"{kind}-1-105.bin"]


@pytest.mark.parametrize("kind", [ValueError, MemoryError, SignatureError])
def test_any_other_exception_counts_as_found(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise kind("a", "b", "c", "d") if kind is SignatureError else kind("x")

    monkeypatch.setattr(engine, "read", broken)
    with pytest.raises(kind):
        mutate.run_one(b"", False, False, SIGNATURES)


def test_a_refused_input_is_no_failure() -> None:
    assert mutate.run_one(b"no capture at all", True, False, SIGNATURES) == ("refused",)
    with pytest.raises(CaptureError):
        classify(b"no capture at all")
