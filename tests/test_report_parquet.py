"""`--format parquet`: a table of a report, readable by pandas and DuckDB, with the values of the JSON document."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from many import environment

pq = pytest.importorskip("pyarrow.parquet")

from classifier import classify, cli  # noqa: E402
from classifier.columns import TABLES, Column  # noqa: E402
from classifier.render import parquet  # noqa: E402

SAMPLES = ("digifort_site.pcapng", "digital_sentry_site.pcap", "recorded_streams.pcap")


@pytest.fixture(scope="module")
def reports(captures: Path) -> list[Any]:
    return [classify(captures / name) for name in SAMPLES]


@pytest.mark.parametrize("section", sorted(TABLES))
def test_every_table_has_the_values_of_the_report(section: str, reports: list[Any]) -> None:
    for report in reports:
        data = parquet.render(report, section)
        assert data == parquet.render(report, section)
        table = pq.read_table(io.BytesIO(data))
        assert table.schema.names == [each.name for each in parquet.stored(TABLES[section])]
        assert table.schema.metadata is None, "nothing about who wrote it, and when"
        rows = table.to_pylist()
        expected = report.rows(section)
        assert len(rows) == len(expected)
        for row, wanted in zip(rows, expected, strict=True):
            for each in parquet.stored(TABLES[section]):
                value = wanted[each.column.name]
                if each.part == ("utc",):
                    stamp = row[each.name]
                    assert (stamp is None) == (value is None)
                    if value is not None:
                        whole = int(stamp.timestamp()) * 1_000_000 + stamp.microsecond
                        assert whole == value // 1000
                elif each.part:
                    assert row[each.name] == value[each.part[0]][each.part[1]]
                else:
                    assert row[each.name] == value, each.name


def test_types_are_those_that_every_reader_has() -> None:
    allowed = {"int64", "double", "boolean", "string", "timestamp[us, UTC]", "list<int64>", "list<string>"}
    for columns in TABLES.values():
        assert {each.type for each in parquet.stored(columns)} <= allowed
        names = [each.name for each in parquet.stored(columns)]
        assert len(set(names)) == len(names)


def test_hostile_text_and_odd_numbers_come_out_safe() -> None:
    columns = (
        Column("text", "str", "", ""), Column("names", "list", "", ""), Column("pids", "list", "", ""),
        Column("first_ns", "time", "ns", ""), Column("vlan", "int", "", ""), Column("jitter_ms", "float", "", ""),
    )  # fmt: skip
    values = {
        "text": ["\x1b]0;x\x07", "\udcff", "tab\there", "plain"],
        "names": [["\u202egpj"], [], ["a", "\x9b"], ["ü"]],
        "pids": [[], [1, 2**40], [], [0]],
        "first_ns": [-1, 0, 2**63 - 1, -(2**63)],
        "vlan": [None, 0, 4095, None],
        "jitter_ms": [None, 0.5, float("inf"), 1e-300],
    }
    out = io.BytesIO()
    parquet.write(parquet.arrow_table(columns, values), out)
    table = pq.read_table(out)
    assert table["text"].to_pylist() == ["\\x1b]0;x\\x07", "\\xff", "tab\\x09here", "plain"]
    assert table["names"].to_pylist() == [["\\u202egpj"], [], ["a", "\\x9b"], ["ü"]]
    assert table["pids"].to_pylist() == values["pids"]
    assert table["first_ns"].to_pylist() == values["first_ns"]
    assert table["first_utc"].cast("int64").to_pylist() == [ns // 1000 for ns in values["first_ns"]]  # type: ignore
    assert table["vlan"].to_pylist() == values["vlan"]
    assert table["jitter_ms"].to_pylist() == values["jitter_ms"]


def test_the_suffix_the_option_and_stdout_give_the_same_file(captures: Path, tmp_path: Path) -> None:
    sample = str(captures / SAMPLES[0])
    path = tmp_path / "hosts.parquet"
    assert cli.main([sample, "-o", str(path), "--section", "hosts"]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "classifier", sample, "--format", "parquet", "--section", "hosts"],
        capture_output=True, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == b""
    assert done.stdout == path.read_bytes() == parquet.render(classify(sample), "hosts")


def test_one_table_only_and_never_without_the_library(
    captures: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sample, out = str(captures / SAMPLES[0]), str(tmp_path / "x.parquet")
    assert cli.main([sample, "-o", out, "--section", "hosts", "--section", "flows"]) == 2
    assert "one table" in capsys.readouterr().err
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cli.main([sample, "-o", out]) == 2
    assert "pip install 'vms-classifier[batch]'" in capsys.readouterr().err
    assert cli.main(["batch", sample, "-o", str(tmp_path / "d")]) == 2
    assert "needs pyarrow" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
