"""A dataset as others read it: pandas, DuckDB, Arrow; and what its documentation promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from many import sites

pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")

from classifier.batch import classify, screen  # noqa: E402
from classifier.batch.progress import BatchProgress  # noqa: E402
from classifier.batch.schema import DATASET  # noqa: E402
from classifier.batch.summary import Spread, Summary, read_table, summarise  # noqa: E402
from classifier.render import parquet  # noqa: E402

IN_DUCKDB = {
    "int64": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN", "string": "VARCHAR", "list<int64>": "BIGINT[]",
    "list<string>": "VARCHAR[]", "timestamp[us, UTC]": "TIMESTAMP WITH TIME ZONE",
}  # fmt: skip
IN_PANDAS = {
    "int64": {"int64", "float64"}, "double": {"float64"}, "boolean": {"bool"}, "string": {"str", "object"},
    "list<int64>": {"object"}, "list<string>": {"object"}, "timestamp[us, UTC]": {"datetime64[us, UTC]"},
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("readers")
    classify(sites(place / "captures"), place / "dataset", workers=2)
    return place / "dataset"


@pytest.mark.parametrize("table", sorted(DATASET))
def test_pandas_reads_a_table_with_the_documented_types(table: str, dataset: Path) -> None:
    import pandas as pd

    frame = pd.read_parquet(dataset / table)
    stored = parquet.stored(DATASET[table])
    assert list(frame.columns) == [each.name for each in stored]
    for each in stored:
        allowed = IN_PANDAS[each.type] | ({"object"} if each.nullable else set())
        assert str(frame[each.name].dtype) in allowed, each.name
    assert table == "findings" or len(frame)


@pytest.mark.parametrize("table", sorted(DATASET))
def test_duckdb_reads_a_table_with_the_documented_types(table: str, dataset: Path) -> None:
    with duckdb.connect() as db:
        rows = db.execute(f"DESCRIBE SELECT * FROM '{dataset}/{table}/*.parquet'").fetchall()
    assert {row[0]: row[1] for row in rows} == {
        each.name: IN_DUCKDB[each.type] for each in parquet.stored(DATASET[table])
    }


def test_capture_ids_join_the_tables_and_sums_agree(dataset: Path) -> None:
    with duckdb.connect() as db:
        sums = db.execute(f"""
            SELECT c.capture_id, c.wire_bytes, k.bytes, c.packets, t.packets, c.flows, count(f.flow_id)
            FROM '{dataset}/captures/*.parquet' c
            JOIN (SELECT capture_id, sum(wire_bytes) bytes FROM '{dataset}/components/*.parquet' GROUP BY ALL) k
              USING (capture_id)
            JOIN (SELECT capture_id, sum(packets) packets FROM '{dataset}/timeline/*.parquet' GROUP BY ALL) t
              USING (capture_id)
            LEFT JOIN '{dataset}/flows/*.parquet' f USING (capture_id)
            GROUP BY ALL""").fetchall()
    assert len(sums) == 6
    for _, wire, in_components, packets, in_bins, flows, there in sums:
        assert wire == in_components and packets == in_bins and flows == there


def test_readers_see_what_the_summary_counts(dataset: Path) -> None:
    import pandas as pd

    components = pd.read_parquet(dataset / "components")
    captures = pd.read_parquet(dataset / "captures")
    summary = summarise(dataset)
    assert (summary.captures, summary.sites) == (len(captures), captures["site"].nunique())
    both = components.merge(captures[["capture_id", "site"]], on="capture_id")
    for row in summary.components:
        mine = both[(both["id"] == row.key) | (both["product"] == row.key)]
        assert row.captures == mine["capture_id"].nunique()
        assert row.wire_bytes == mine["wire_bytes"].sum()
        assert set(row.sites) == set(mine["site"])
    assert sum(row.wire_bytes for row in summary.components) == captures["wire_bytes"].sum()
    assert {status for _, status, _ in summary.troubles} == {"unreadable", "damaged"}


def test_rows_without_a_capture_are_not_counted(dataset: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "dataset"
    shutil.copytree(dataset, copy)
    next((copy / "captures").iterdir()).unlink()
    assert summarise(copy).captures == summarise(dataset).captures - 1
    left = {row["capture_id"] for row in read_table(copy, "flows", ["capture_id"])}
    assert left <= {path.stem for path in (copy / "captures").iterdir()}


def test_findings_are_counted_by_site_and_worst_first(monkeypatch: pytest.MonkeyPatch) -> None:
    tables: dict[str, list[dict[str, Any]]] = {
        "captures": [
            {"capture_id": str(i), "name": f"s{i}/a", "site": f"s{i % 2}", "status": "ok", "sha256": None,
             "file_bytes": None, "packets": 0, "wire_bytes": 0, "flows": 0, "first_ns": None, "last_ns": None,
             "problems": []}
            for i in range(4)
        ],
        "components": [], "learned": [],
        "findings": [
            {"capture_id": "0", "code": "A", "severity": "info", "title": "a", "status": "fired"},
            {"capture_id": "0", "code": "A", "severity": "info", "title": "a", "status": "fired"},
            {"capture_id": "2", "code": "B", "severity": "error", "title": "b", "status": "fired"},
            {"capture_id": "1", "code": "A", "severity": "info", "title": "a", "status": "fired"},
            {"capture_id": "3", "code": "C", "severity": "error", "title": "c", "status": "skipped"},
        ],
    }  # fmt: skip
    monkeypatch.setattr("classifier.batch.summary.read_table", lambda dataset, table, columns: tables[table])
    found = summarise("x")
    assert [(f.key, f.kind, f.captures, f.sites) for f in found.findings] == [
        ("B", "error", 1, {"s0": 1}), ("A", "info", 2, {"s0": 1, "s1": 1}),
    ]  # fmt: skip
    assert found.skipped_findings == 1
    shown = screen.text(found, {})
    assert shown.index("error   B") < shown.index("info    A")
    assert "1 check could not be made" in shown


def test_hostile_names_in_a_foreign_dataset_do_not_reach_the_terminal() -> None:
    bad = "\x1b[2J\u202e"
    spread = Spread(bad, bad, bad, 1, 1, {bad: 1}, {bad})
    shown = screen.text(
        Summary(captures=1, components=[spread], findings=[spread], troubles=[(bad, "damaged", bad)]), {bad: bad}
    )
    assert "\x1b" not in shown and "\u202e" not in shown


class Terminal:
    """A stream that remembers."""

    encoding = "utf-8"

    def __init__(self, terminal: bool) -> None:
        self.terminal, self.text = terminal, ""

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_progress_counts_captures_and_bytes_and_tells_the_time_left() -> None:
    now = [0.0]
    stream: Any = Terminal(True)
    progress = BatchProgress(stream, clock=lambda: now[0], columns=200)
    progress.show(0, 100, 0, 10**9, 0)
    assert stream.text == "", "nothing in the first second"
    now[0] = 30.0  # compiling
    progress.show(5, 100, 50_000_000, 10**9, 0)
    assert "left" not in stream.text, "nothing is known of the speed yet"
    now[0] = 40.0
    progress.show(25, 100, 250_000_000, 10**9, 2)
    line = stream.text.rsplit("\r", 1)[-1]
    assert "25 %" in line and "25 of 100 captures" in line and "250 MB of 1.00 GB" in line
    assert "6.25 MB/s" in line and "2 with problems" in line and line.endswith("38 s left")
    progress.close()
    quiet: Any = Terminal(True)
    BatchProgress(quiet, enabled=False).show(1, 2, 1, 2, 0)
    assert quiet.text == ""


def test_progress_into_a_log_is_a_line_now_and_then() -> None:
    now = [0.0]
    stream: Any = Terminal(False)
    progress = BatchProgress(stream, clock=lambda: now[0])
    for second in range(0, 95, 5):
        now[0] = float(second)
        progress.show(second, 95, second * 10**6, 95 * 10**6, 0)
    lines = stream.text.splitlines()
    assert len(lines) == 3 and all(line.startswith("classify: ") and "\r" not in line for line in lines)
    assert lines[0].startswith("classify: 31 %  30 of 95 captures")
