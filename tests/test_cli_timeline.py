"""The timeline from outside: options, exit codes, every form of output."""

from __future__ import annotations

import csv
import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from capture_files import T0, pcap_header, pcap_record
from test_cli_process import NEIGHBOURS, SITE, run

import classifier
from classifier import engine
from classifier.columns import TABLES

FRAME = bytes.fromhex("0200000000010200000000020806") + bytes(46)


def document(*arguments: str | Path) -> dict[str, Any]:
    done = run(*arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize(
    "wrong",
    [("--bin", "1x"), ("--bin", "0s"), ("--bin", "150ms"), ("--bin", ""), ("--link", "fast"), ("--link", "0"),
     ("--link", "-1G")],
)  # fmt: skip
def test_a_wrong_span_or_rate_is_exit_2_before_anything_is_read(wrong: tuple[str, str]) -> None:
    done = run("does-not-exist.pcap", *wrong)
    assert done.returncode == 2
    assert done.stdout == b""
    assert f"Invalid value for '{wrong[0]}'".encode() in done.stderr


@pytest.mark.parametrize(("bin", "width"), [("100ms", 10**8), ("1s", 10**9), ("1min", 60 * 10**9)])
def test_json_rows_are_at_the_width_asked_for(bin: str, width: int) -> None:
    found = document(SITE, "--section", "timeline", "--bin", bin)
    assert found["time"] == {"bin_width_ns": 10**8, "timeline_bin_ns": width, "link": None}
    assert all(row["time_ns"] % width == 0 for row in found["timeline"])
    for row in found["components"]:
        mine = [cell for cell in found["timeline"] if cell["component"] == row["id"]]
        for name in ("packets", "wire_bytes"):
            assert sum(cell[name] for cell in mine) == row[name]


def test_csv_has_the_rows_of_json() -> None:
    rows = document(NEIGHBOURS, "--section", "timeline", "--bin", "10s")["timeline"]
    done = run(NEIGHBOURS, "--section", "timeline", "--bin", "10s", "--format", "csv")
    table = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    assert list(table[0]) == [column.name for column in TABLES["timeline"]]
    assert [{k: str(v) for k, v in row.items()} for row in rows] == table


def test_the_link_is_in_json_with_and_without_the_timeline() -> None:
    for more in ((), ("--section", "timeline")):
        link = document(SITE, "--link", "1M", *more)["time"]["link"]
        assert link["bps"] == 10**6
        assert 0 < link["mean"] < link["highest"] < 1
        assert link["bins"] == 60
    assert document(SITE)["time"]["link"] is None


def test_the_text_has_curves_and_with_ascii_nothing_else() -> None:
    plain = run(SITE, "--section", "timeline", "--ascii", "--link", "100k")
    assert plain.stdout.isascii() and b"WARNING: above 60 % of the link in " in plain.stdout
    rich = run(SITE, "--section", "timeline", "--link", "100k", PYTHONIOENCODING="utf-8")
    assert "█" in rich.stdout.decode() and rich.stdout.count(b"\n") == plain.stdout.count(b"\n")
    assert run(SITE, "--section", "timeline", PYTHONIOENCODING="latin-1").stdout.isascii()
    assert run(SITE, "--ascii").stdout.isascii()


def test_the_overview_has_the_link_in_one_line() -> None:
    lines = run(SITE, "--link", "100k", PYTHONIOENCODING="utf-8").stdout.decode().splitlines()
    assert lines[4].startswith("Link of 100 kbit/s: mean 92.1 %, highest second 199.8 %, above 60 % in 48 of 60")
    assert len(lines) <= 38 and max(map(len, lines)) <= 100
    assert b"Link of" not in run(SITE).stdout


@pytest.mark.parametrize("options", [(), ("--ascii",)])
def test_in_a_file_it_is_the_same(options: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    assert run(SITE, "--section", "timeline", "-o", out, *options).returncode == 0
    assert out.read_bytes() == run(SITE, "--section", "timeline", *options, PYTHONIOENCODING="utf-8").stdout


def whole(source: Any, **options: Any) -> str:
    report = engine.classify(source, **options).with_timeline(bin="100ms", link="1M")
    found = report.to_dict(["timeline", "flows"])
    for key in ("captures", "unreadable"):
        del found[key]
    return json.dumps(found)


def test_two_runs_any_batch_and_both_speeds_give_the_same_bytes() -> None:
    arguments = (
        SITE,
        "--section",
        "timeline",
        "--section",
        "flows",
        "--bin",
        "100ms",
        "--link",
        "1G",
        "--format",
        "json",
    )
    assert run(*arguments).stdout == run(*arguments).stdout
    expected = whole(SITE)
    for batch in (1, 7, 500):
        assert whole(SITE, batch=batch, compiled=False) == expected
        assert whole(SITE, batch=batch, compiled=True) == expected


def parts(folder: Path, records: list[bytes]) -> list[Path]:
    """A capture cut into three files, the way a ring buffer does."""
    third = -(-len(records) // 3)
    made = []
    for n in range(3):
        made.append(folder / f"part{n}.pcap")
        made[-1].write_bytes(pcap_header() + b"".join(records[n * third : (n + 1) * third]))
    return made


def sums_match(report: classifier.Report) -> None:
    for bin in ("100ms", "1s", "1min"):
        shown = report.with_timeline(bin=bin)
        for row in shown.rows("components"):
            mine = [cell for cell in shown.rows("timeline") if cell["component"] == row["id"]]
            assert sum(cell["packets"] for cell in mine) == row["packets"]
            assert sum(cell["wire_bytes"] for cell in mine) == row["wire_bytes"]
    assert sum(row["packets"] for row in report.rows("timeline")) == report.totals["packets"]
    assert report.timeseries("1min", value="wire_bytes").to_numpy().sum() == report.totals["wire_bytes"]


def fragment(offset: int, more: bool, number: int) -> bytes:
    """A fragment of a UDP datagram; the first holds the ports."""
    content = struct.pack(">HHHH", 4000, 5000, 3000, 0) + bytes(1472) if offset == 0 else bytes(700)
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(content), number, (0x2000 if more else 0) | offset // 8, 64, 17, 0,
        b"\x0a\0\0\1", b"\x0a\0\0\2",
    )  # fmt: skip
    return bytes.fromhex("0200000000010200000000020800") + head + content


def test_fragments_late_and_backwards_times_and_rotated_files_lose_nothing(tmp_path: Path) -> None:
    """Fragments that wait for their first one are counted in the bin of their own time."""
    records = []
    for i in range(300):
        seconds, fraction = T0 + i // 50, i % 50 * 20_000
        kind = i % 6
        if kind == 0:
            records.append(pcap_record(fragment(1480, False, i), seconds, fraction))  # before its first one
            records.append(pcap_record(fragment(0, True, i), seconds + 2, fraction))
        elif kind == 1:
            records.append(pcap_record(FRAME, seconds - 3, fraction, wire=1500))  # back
        elif kind == 2:
            records.append(pcap_record(fragment(1480, False, 40_000 + i), seconds, fraction))  # its first never comes
        else:
            records.append(pcap_record(FRAME, seconds, fraction))
    one = tmp_path / "one.pcap"
    one.write_bytes(pcap_header() + b"".join(records))
    report = classifier.classify(one)
    sums_match(report)
    series = report.timeseries("100ms", value="packets").sum(axis=1)
    naive: dict[int, int] = {}
    for record in records:
        seconds, fraction = struct.unpack_from("<II", record)
        at = (seconds * 10 + fraction // 100_000) * 10**8
        naive[at] = naive.get(at, 0) + 1
    assert {at.value: count for at, count in series.items() if count} == naive
    several = classifier.classify(parts(tmp_path, sorted(records, key=lambda r: struct.unpack_from("<II", r))))
    sums_match(several)
    again = several.timeseries("100ms", value="packets").sum(axis=1)
    assert {at.value: count for at, count in again.items() if count} == naive


@pytest.mark.parametrize("name", ["digifort_site.pcapng", "recorded_streams.pcap"])
def test_the_series_of_streams_hold_every_packet_of_theirs(name: str) -> None:
    report = classifier.classify(SITE.parent / name)
    assert len(report.streams) > 2
    for freq in ("100ms", "1s", "1min"):
        for value in ("packets", "wire_bytes"):
            series = report.timeseries(freq, by="stream", value=value, top=1000)
            assert series.sum().to_dict() == report.streams[value].to_dict()
    heaviest = report.streams["wire_bytes"].sort_values(ascending=False, kind="stable").index[:2]
    assert report.timeseries("1s", by="stream", top=2).columns.tolist() == heaviest.tolist()


def test_without_streams_their_series_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "arp.pcap"
    path.write_bytes(pcap_header() + pcap_record(FRAME))
    assert classifier.classify(path).timeseries("1s", by="stream").shape == (1, 0)
