"""CSV and output files: safe text, whole files."""

from __future__ import annotations

import csv as plain_csv
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from passes import CLIENT, SERVER, Flow, a_report, site

from classifier.columns import TABLES
from classifier.render import FORMATS, csv, format_of, json, write_output

EVIL = [
    '=HYPERLINK("http://x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\n=1",
    "a\nb",
    "\x1b]0;x\x07",
    '"quoted", comma',
]


def table(report: Any, section: str) -> list[dict[str, str]]:
    text = csv.render(report, section).decode("utf-8")
    return list(plain_csv.DictReader(text.splitlines(keepends=True), strict=True))


@pytest.mark.parametrize("section", TABLES)
def test_every_table_is_csv(section: str) -> None:
    report = site()
    rows = table(report, section)
    assert len(rows) == len(report.rows(section))
    header = csv.render(a_report([]), section).decode().splitlines()[0]
    if rows:
        assert header.split(",") == list(rows[0])


def test_components_are_the_default_and_their_grades_have_columns() -> None:
    rows = table(site(), "components")
    assert csv.render(site()) == csv.render(site(), "components")
    assert rows[1]["probable_wire_bytes"] == "1134"
    assert "grades" not in rows[0]


def test_missing_values_are_empty_and_lists_are_joined() -> None:
    flows = table(site(), "flows")
    assert (flows[0]["vlan"], flows[2]["vlan"]) == ("12", "")
    assert flows[0]["evidence"] == "port:tcp/8600; role:listener"


@pytest.mark.parametrize("text", EVIL)
def test_text_is_no_formula_and_has_no_control_characters(text: str) -> None:
    report = a_report([Flow(CLIENT, SERVER, "other.http", [(0, 60, True)], evidence=[text])])
    report.rows("flows")[0]["tcp_state"] = text
    (row,) = table(report, "flows")
    for cell in (row["evidence"], row["tcp_state"]):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert all(ord(c) >= 32 for c in cell)
    assert csv.cell(-5) == -5  # a number is no text


@pytest.mark.parametrize("text", [*EVIL, "\ud800", "ü", "\u202e"])
def test_json_is_ascii_without_control_characters(text: str) -> None:
    report = a_report([Flow(CLIENT, SERVER, "other.http", [(0, 60, True)], evidence=[text])])
    data = json.render(report, ["flows"])
    assert all(byte == 10 or 32 <= byte < 127 for byte in data)
    assert data.count(b"\n") == json.render(site_of(), ["flows"]).count(b"\n")


def site_of() -> Any:
    return a_report([Flow(CLIENT, SERVER, "other.http", [(0, 60, True)], evidence=["x"])])


def test_every_form_has_a_renderer() -> None:
    assert set(FORMATS) == {"table", "json", "csv", "parquet"}
    for known in FORMATS.values():
        assert callable(known.load().render)
        assert all(format_of(f"report{suffix.upper()}") == known.name for suffix in known.suffixes)
    assert format_of("report.xyz") is None


def test_a_file_is_written_and_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_output(path, b"one")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    path.chmod(0o600)
    write_output(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_output(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_device_is_written_to_not_replaced() -> None:
    write_output("/dev/null", b"x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_when_writing_fails_the_old_file_stays_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_output(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk(tmp_path: Path) -> None:
    """A real one: a file size limit of the process makes the write end early."""
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
        "from classifier.render import write_output; write_output(sys.argv[1], b'x' * 5000)"
    )
    import sys

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert "OSError" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_output(tmp_path / "nowhere" / "out.json", b"x")
    with pytest.raises(IsADirectoryError):
        write_output(tmp_path, b"x")
