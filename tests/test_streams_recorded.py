"""Streams of ffmpeg through a link that loses packets: the table of streams says what the link's own log says."""

from __future__ import annotations

import json
import re
import subprocess
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


@pytest.mark.tshark
def test_tshark_says_the_same_of_the_recording() -> None:
    """`rtp,streams`: one line per stream; its lost are ours less duplicates, which make up for losses there."""
    capture = CAPTURES / "recorded_streams.pcap"
    as_rtp = [word for port in (3456, 3460) for word in ("-d", f"udp.port=={port},rtp")]
    words = ["tshark", "-r", str(capture), "-q", *as_rtp, "-z", "rtp,streams"]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    found = {}
    for line in lines:
        # start end source port destination port ssrc payload packets lost (share) deltas, then min, mean, max jitter
        match = re.match(
            r"\s*\S+\s+\S+\s+\S+\s+\d+\s+\S+\s+(\d+)\s+(0x\w+)\s+.*?\s(\d+)\s+(-?\d+) \(.*?\)\s+(.*)", line
        )
        if match:
            port, ssrc, packets, lost, rest = match.groups()
            found[int(port)] = (ssrc.lower(), int(packets), int(lost), [float(word) for word in rest.split()[3:6]])
    rows = {row["receiver_port"]: row for row in classifier.classify(capture).rows("streams") if row["kind"] == "rtp"}
    assert sorted(found) == sorted(rows)
    for port, row in rows.items():
        ssrc, packets, lost, _ = found[port]
        assert (ssrc, packets, lost) == (row["ssrc"], row["packets"], row["lost"] - row["duplicates"])
    # theirs moves with the copied packet too, ours does not
    _, mean, most = found[3460][3]
    assert rows[3460]["jitter_ms"] == pytest.approx(mean, rel=0.02)
    assert rows[3460]["max_jitter_ms"] == pytest.approx(most, rel=0.02)
