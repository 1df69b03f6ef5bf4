"""Every rule fires on a capture made for it, with the right hosts and numbers, and not on its look-alike.

The scenes are in `captures/makers/faults`; a display filter must select exactly the packets that its finding claims.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import classifier
from classifier.findings import all_rules

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from captures.makers.faults import Scene, all_scenes  # noqa: E402
from fuzz.findings import check_findings  # noqa: E402

SCENES = all_scenes()


def write(scene: Scene, folder: Path) -> list[Path]:
    made = scene.make()
    parts = [made] if isinstance(made, bytes) else list(made)
    paths = []
    for number, part in enumerate(parts):
        kind = "pcapng" if part[:4] == b"\x0a\x0d\x0d\x0a" else "pcap"
        paths.append(folder / f"scene{number}.{kind}")
        paths[-1].write_bytes(part)
    return paths


def name_of(scene: Scene) -> str:
    return f"{scene.code}:{scene.name}"


def findings(report: Any, code: str) -> Iterator[dict[str, Any]]:
    return (row for row in report.rows("findings") if row["code"] == code)


@pytest.mark.parametrize("scene", SCENES, ids=name_of)
def test_the_rule_says_what_is_true(scene: Scene, tmp_path: Path) -> None:
    report = classifier.classify(write(scene, tmp_path), **scene.options)
    fired = [row for row in findings(report, scene.code) if row["status"] == "fired"]
    skipped = [row["skipped_because"] for row in findings(report, scene.code) if row["status"] == "skipped"]
    assert len(fired) == scene.fires, (fired, skipped)
    assert check_findings(report) >= len(fired)
    said = "\n".join(f"{row['title']}\n{row['summary']}\n{row['remedy']}" for row in fired)
    for text in scene.says:
        assert text in said
    for text in scene.never:
        assert text not in said
    if fired and scene.severity:
        assert fired[0]["severity"] == scene.severity
    if scene.skipped:
        assert any(scene.skipped in because for because in skipped), skipped
    elif not scene.fires:
        assert not skipped, "a look-alike must be answered, not skipped"
    flows = len(report.rows("flows"))
    for row in fired:
        assert row["title"] and row["summary"] and row["remedy"] and row["source"]
        assert all(0 <= flow < flows for flow in row["flow_ids"])
        assert bool(row["display_filter"]) == (row["selected_packets"] is not None)


@pytest.mark.tshark
@pytest.mark.parametrize("scene", [scene for scene in SCENES if scene.fires], ids=name_of)
def test_the_display_filter_selects_what_it_claims(scene: Scene, tmp_path: Path) -> None:
    paths = write(scene, tmp_path)
    report = classifier.classify(paths, **scene.options)
    rows = [row for row in findings(report, scene.code) if row["display_filter"]]
    if scene.packets is not None:
        assert rows[0]["selected_packets"] == scene.packets
    for row in rows[:3]:
        selected = 0
        for path in paths:
            words = ["tshark", "-n", "-r", str(path), "-Y", row["display_filter"], "-T", "fields", "-e", "frame.number"]
            run = subprocess.run(words, capture_output=True, text=True, check=False)
            assert run.returncode == 0, run.stderr
            selected += len(run.stdout.splitlines())
        assert selected == row["selected_packets"], row["display_filter"]


def test_every_rule_has_both_kinds_of_scenes() -> None:
    codes = {rule.code for rule in all_rules()}
    assert {scene.code for scene in SCENES} <= codes, "a scene of no rule"
    assert {scene.code for scene in SCENES if scene.fires} == codes
    assert {scene.code for scene in SCENES if not scene.fires and not scene.skipped} == codes
