"""Streams of ffmpeg through a link that loses packets: the table of streams says what the link's own log says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import classifier

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
if str(CAPTURES) not in sys.path:
    sys.path.insert(0, str(CAPTURES))

import record_stream  # noqa: E402

NOT_OF_THE_TABLE = {"name", "relay_lost"}


def compare(folder: Path) -> None:
    """The product's table against the log beside the capture."""
    truth = json.loads((folder / "truth" / "recorded_streams.json").read_text(encoding="utf-8"))
    rows = classifier.classify(folder / truth["capture"]).rows("streams")
    by_port = {row["receiver_port"]: row for row in rows}
    assert sorted(by_port) == sorted(stream["receiver_port"] for stream in truth["streams"])
    for stream in truth["streams"]:
        row = by_port[stream["receiver_port"]]
        expected = {key: value for key, value in stream.items() if key not in NOT_OF_THE_TABLE}
        assert {key: row[key] for key in expected} == expected
        if stream["kind"] == "rtp":
            assert row["lost"] == stream["relay_lost"]


def test_the_recording_that_is_checked_in() -> None:
    compare(CAPTURES)


def test_what_is_seen_of_ffmpegs_streams() -> None:
    rows = {
        row["receiver_port"]: row for row in classifier.classify(CAPTURES / "recorded_streams.pcap").rows("streams")
    }
    video, sound, transport = rows[3456], rows[3460], rows[3470]
    assert (video["codec"], video["clock_rate"]) == ("H264", 90_000)
    assert 20 <= video["frames_per_second"] <= 26
    assert (sound["codec"], sound["clock_rate"], sound["key_frames"]) == ("PCMU", 8000, None)
    assert (transport["ssrc"], transport["payload_type"], transport["expected"]) == ("", None, 0)
    assert video["sender_reports"] > 0


def test_the_script_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert record_stream.main([]) == 1
    assert "missing: ip, tcpdump, ffmpeg" in capsys.readouterr().err


@pytest.mark.slow
def test_a_recording_made_now(tmp_path: Path) -> None:
    lacks = record_stream.missing()
    if lacks:
        pytest.skip(f"cannot record here, missing: {', '.join(lacks)}")
    record_stream.record(tmp_path)
    compare(tmp_path)
