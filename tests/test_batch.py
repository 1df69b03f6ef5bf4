"""Many captures into one dataset: what is done, done again, left out, kept, taken out; whatever the workers do."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from many import COMMAND, command, contents, environment, sites

pytest.importorskip("pyarrow")

from classifier.batch import classify, inputs
from classifier.batch.dataset import OWN, BatchError, Dataset
from classifier.batch.schema import DATASET
from classifier.batch.summary import read_table, summarise
from classifier.errors import SignatureError
from classifier.limits import Limits

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sites(tmp_path_factory.mktemp("captures"))


@pytest.fixture(scope="module")
def dataset(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of them, made by one worker."""
    place = tmp_path_factory.mktemp("one") / "dataset"
    outcome = classify(folder, place, workers=1)
    assert (outcome.captures, outcome.done, outcome.skipped) == (7, 7, 0)
    return place


def names(dataset: Path) -> list[str]:
    return sorted(row["name"] for row in read_table(dataset, "captures", ["name"]))


def test_three_workers_write_the_bytes_that_one_writes(folder: Path, dataset: Path, tmp_path: Path) -> None:
    classify(folder, tmp_path / "three", workers=3)
    assert contents(tmp_path / "three") == contents(dataset)
    assert len(contents(dataset)) == 7 * len(DATASET)


def test_every_capture_is_what_it_is_alone(folder: Path, dataset: Path) -> None:
    import classifier

    path = folder / "site-01" / "trace_00002.pcap"
    alone = classifier.classify(path).with_timeline(bin="1s")
    (row,) = (row for row in read_table(dataset, "captures", ["capture_id", "name"]) if row["name"].endswith("1/trace_00002.pcap"))  # fmt: skip  # noqa: E501
    columns = [
        "capture_id",
        "orig_address",
        "orig_port",
        "component",
        "grade",
        "evidence",
        "first_ns",
        "resp_wire_bytes",
    ]
    stored = [r for r in read_table(dataset, "flows", columns) if r["capture_id"] == row["capture_id"]]
    assert [[r[c] for c in columns[1:]] for r in stored] == [[r[c] for c in columns[1:]] for r in alone.rows("flows")]
    bins = read_table(dataset, "timeline", ["capture_id", "time_ns", "wire_bytes"])
    mine = [(r["time_ns"], r["wire_bytes"]) for r in bins if r["capture_id"] == row["capture_id"]]
    assert mine == [(r["time_ns"], r["wire_bytes"]) for r in alone.rows("timeline")]


def test_a_broken_capture_is_a_row_with_its_problem(folder: Path, dataset: Path) -> None:
    columns = ["name", "site", "status", "complete", "problem_codes", "problems", "packets", "sha256"]
    rows = {row["name"]: row for row in read_table(dataset, "captures", columns)}
    assert len(rows) == 7
    notes = rows["site-02/notes.pcap"]
    assert (notes["status"], notes["problem_codes"], notes["packets"]) == ("unreadable", ["not_a_capture"], 0)
    assert "text file" in notes["problems"][0] and len(notes["sha256"]) == 64
    cut = rows["site-02/trace_00001.pcap"]
    assert (cut["status"], cut["complete"], cut["site"]) == ("damaged", False, "site-02")
    assert cut["packets"] > 0 and "byte" in cut["problems"][0]
    assert {row["status"] for name, row in rows.items() if not name.startswith("site-02")} == {"ok"}


def test_what_is_done_is_left_out_until_content_options_or_program_change(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "captures"
    shutil.copytree(folder, mine)
    place = tmp_path / "dataset"
    classify(mine, place, workers=1)
    before = contents(place)
    times = {path: path.stat().st_mtime_ns for path in place.rglob("*.parquet")}
    again = classify(mine, place, workers=1)  # the files are too young to be trusted by their times: read, not done
    assert (again.done, again.skipped) == (0, 7)
    time.sleep(2.1)
    classify(mine, place, workers=1)
    monkeypatch.setattr("classifier.batch.pool.run", None)
    settled = classify(mine, place)  # now the times tell, nobody is asked to read
    assert (settled.done, settled.skipped, len(settled.unreadable), len(settled.damaged)) == (0, 7, 1, 1)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*.parquet")} == times
    monkeypatch.undo()

    touched = mine / "site-01" / "trace_00001.pcap"
    os.utime(touched)
    assert classify(mine, place, workers=1).done == 0
    data = bytearray(touched.read_bytes())
    data[-1] ^= 1
    status = touched.stat()
    touched.write_bytes(data)
    os.utime(touched, ns=(status.st_atime_ns, status.st_mtime_ns))  # as a careless copy program leaves it
    changed = classify(mine, place, workers=1)
    assert (changed.done, changed.skipped) == (1, 6)
    now = contents(place)
    assert len(now) == len(before)
    assert len(set(before) - set(now)) == len(DATASET), "the old content is gone from every table"

    faster = classify(mine, place, workers=1, limits=Limits(follow=False))
    assert (faster.done, faster.skipped) == (7, 0)
    monkeypatch.setattr("classifier.batch.run.fingerprint", lambda settings: "another program")
    assert classify(mine, place, workers=1, limits=Limits(follow=False)).done == 7


def test_recheck_reads_what_looks_unchanged(folder: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from classifier.batch import pool

    asked: list[int] = []
    real = pool.run

    def counted(jobs: Any, *arguments: Any) -> Any:
        jobs = list(jobs)
        asked.append(len(jobs))
        return real(jobs, *arguments)

    classify(folder, dataset, workers=1)
    monkeypatch.setattr(pool, "run", counted)
    outcome = classify(folder, dataset, workers=1, recheck=True)
    assert asked == [7] and (outcome.done, outcome.skipped) == (0, 7)


def test_a_file_that_is_gone_stays_until_prune(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "captures"
    shutil.copytree(folder, mine)
    place = tmp_path / "dataset"
    classify(mine, place, workers=1)
    (mine / "site-01" / "trace_00001.pcap").unlink()
    kept = classify(mine, place, workers=1)
    assert kept.captures == 6 and len(names(place)) == 7
    missing = classify([mine, mine / "nothing"], place, workers=1, prune=True)
    assert missing.pruned == 0 and len(names(place)) == 7, "an input that is missing may be a disk that is not there"
    pruned = classify(mine, place, workers=1, prune=True)
    assert pruned.pruned == 1
    assert len(names(place)) == 6 and len(contents(place)) == 6 * len(DATASET)


@posix
def test_a_killed_run_goes_on_where_it_was(folder: Path, dataset: Path, tmp_path: Path) -> None:
    place = tmp_path / "dataset"
    process = subprocess.Popen(
        [*COMMAND, str(folder), "-o", str(place), "--workers", "1"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not list(place.glob("captures/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    done = len(list(place.glob("captures/*.parquet")))
    assert 0 < done < 7
    for table in DATASET:  # a capture that is in the table of captures is in all of them
        assert {p.name for p in place.glob("captures/*")} <= {p.name for p in place.glob(f"{table}/*")}
    outcome = classify(folder, place, workers=1)
    assert outcome.skipped == done and outcome.done == 7 - done
    assert contents(place) == contents(dataset)
    assert not list((place / OWN).glob("staging/*"))


def test_leftovers_of_a_run_that_was_killed_between_two_tables_are_removed(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "dataset"
    classify(folder, place, workers=1)
    whole = contents(place)
    half, lost = sorted(place.glob("captures/*.parquet"))[:2]
    half.unlink()  # killed before the last table was put in
    (place / "flows" / lost.name).unlink()  # a disk that lost a file
    (place / OWN / "staging" / "old" / "x").mkdir(parents=True)
    outcome = classify(folder, place, workers=1)
    assert outcome.done == 2 and contents(place) == whole
    assert not list((place / OWN).glob("staging/*"))


@posix
def test_a_worker_that_dies_costs_nothing_but_time(
    folder: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from classifier.batch import pool

    crew: list[Any] = []
    real = pool._Worker.__init__

    def noted(self: Any, heard: Any) -> None:
        real(self, heard)
        crew.append(self)

    monkeypatch.setattr(pool._Worker, "__init__", noted)

    def kill_one(done: int, of: int, *rest: int) -> None:
        if done == 1 and len(crew) == 2:
            os.kill(next(each for each in crew if each.job is not None).process.pid, signal.SIGKILL)

    outcome = classify(folder, tmp_path / "dataset", workers=2, show=kill_one)
    assert len(crew) >= 3, "another process took the place of the one that was killed"
    assert outcome.done == 7
    assert contents(tmp_path / "dataset") == contents(dataset)


def test_a_capture_that_ends_every_process_is_a_row(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = "import json, os, sys; sys.path[:] = json.loads(sys.argv[1])\nfrom classifier.batch import task, worker\n"
    boot += "work = task.work\n"
    boot += "task.work = lambda text, told: os._exit(9) if 'site-03/trace_00001' in text else work(text, told)\n"
    monkeypatch.setattr("classifier.batch.pool._BOOT", boot + "worker.main()")
    place = tmp_path / "dataset"
    outcome = classify(folder, place, workers=2)
    assert outcome.done == 7
    assert [name for name, _ in outcome.unreadable] == ["site-02/notes.pcap", "site-03/trace_00001.pcap"]
    (row,) = (r for r in read_table(place, "captures", ["name", "problem_codes", "problems", "sha256"]) if r["problem_codes"] == ["worker_died"])  # fmt: skip  # noqa: E501
    assert row["name"] == "site-03/trace_00001.pcap" and row["sha256"] is None
    assert "twice (exit code 9)" in row["problems"][0]
    monkeypatch.undo()
    assert classify(folder, place, workers=1).done == 1, "it was the machine's fault, so it is tried again"
    assert len(names(place)) == 7


def test_workers_that_cannot_start_are_a_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifier.batch.pool._BOOT", "raise SystemExit(5)")
    with pytest.raises(BatchError, match=r"could not start \(exit code 5\)"):
        classify(folder, tmp_path / "dataset", workers=2)


def test_a_file_nobody_may_read_is_a_row_and_replaces_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "captures"
    shutil.copytree(folder, mine)
    boot = "import json, os, sys; sys.path[:] = json.loads(sys.argv[1])\nfrom classifier.batch import task, worker\n"
    boot += "real = task.HashedFile\ndef closed(path):\n"
    boot += "    if path.endswith('1/trace_00001.pcap'): raise task.CaptureError(path, 'cannot be opened (denied)')\n"
    boot += "    return real(path)\ntask.HashedFile = closed\nworker.main()"
    place = tmp_path / "dataset"
    with monkeypatch.context() as patch:
        patch.setattr("classifier.batch.pool._BOOT", boot)
        outcome = classify(mine, place, workers=1)
    assert ("site-01/trace_00001.pcap", "cannot be opened (denied)") in outcome.unreadable
    assert len(names(place)) == 7
    classify(mine, place, workers=1)
    good = contents(place)
    os.utime(mine / "site-01" / "trace_00001.pcap")
    with monkeypatch.context() as patch:
        patch.setattr("classifier.batch.pool._BOOT", boot)
        outcome = classify(mine, place, workers=1)
    assert ("site-01/trace_00001.pcap", "cannot be opened (denied)") in outcome.unreadable
    assert contents(place) == good


def test_one_run_at_a_time_has_a_dataset(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with Dataset(tmp_path / "d", "/root"), pytest.raises(BatchError, match="another classify batch"):
        Dataset(tmp_path / "d", "/root")
    Dataset(tmp_path / "d", "/root").close()


def test_a_folder_with_something_else_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", encoding="ascii")
    with pytest.raises(BatchError, match="no dataset"):
        classify(folder, tmp_path, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_options_reach_every_worker_and_are_in_the_row(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[product]\nid = "door"\nname = "Door Control"\n[[signature]]\nid = "door.server"\nname = "Door server"\n'
        'transport = "tcp"\nports = [8600]\n[[signature.sources]]\ndocument = "own"\nquote = "x"\n',
        encoding="utf-8",
    )
    overlay = tmp_path / "overlay.toml"
    overlay.write_text('[[signature]]\nid = "digifort.server"\nports = [9999]\n', encoding="utf-8")
    place = tmp_path / "dataset"
    one = folder / "site-01" / "trace_00001.pcap"
    classify(one, place, signatures=[overlay], maps=["digifort.web=8888/tcp"], limits=Limits(flows=10), workers=1)
    (row,) = read_table(place, "captures", ["options", "problem_codes", "problems", "flows"])
    assert "flow_cap" in row["problem_codes"]
    assert '"max_flows": 10' in row["options"] and '"digifort.web=8888/tcp"' in row["options"]
    assert '"overlay.toml"' in row["options"]
    assert str(tmp_path) not in row["options"] + "".join(row["problems"]), "where it lay is nobody's business"
    with pytest.raises(SignatureError):
        classify(one, tmp_path / "other", maps=["digifort.nothing=1/tcp"], workers=1)
    assert not (tmp_path / "other").exists()


def test_names_begin_below_the_root_wherever_the_captures_lie(folder: Path, dataset: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "mounted" / "here"
    shutil.copytree(folder, elsewhere)
    classify([str(elsewhere / "site-*" / "*.pcap")], tmp_path / "dataset", root=elsewhere, workers=1)
    assert contents(tmp_path / "dataset") == contents(dataset)


def test_the_same_content_twice_is_two_captures(folder: Path, tmp_path: Path) -> None:
    for site in ("a", "b"):
        (tmp_path / "in" / site).mkdir(parents=True)
        shutil.copy(folder / "site-01" / "trace_00001.pcap", tmp_path / "in" / site / "x.pcap")
    outcome = classify(tmp_path / "in", tmp_path / "dataset", workers=1)
    assert outcome.done == 2
    rows = read_table(tmp_path / "dataset", "captures", ["capture_id", "name", "sha256", "site"])
    assert len({row["capture_id"] for row in rows}) == 2 and len({row["sha256"] for row in rows}) == 1
    assert {row["site"] for row in rows} == {"a", "b"}
    assert summarise(tmp_path / "dataset").copies == 2


HOSTILE = ("new\nline.pcap", "..pcap..pcap", "café ☃.pcap", "\x1b[31mred.pcap", "a'b\"c;$(x).pcap", "@list.pcap")


@posix
def test_hostile_names_are_names(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "in"
    here.mkdir()
    data = (folder / "site-01" / "trace_00001.pcap").read_bytes()
    for name in HOSTILE:
        (here / name).write_bytes(data)
    Path(os.fsdecode(os.fsencode(here) + b"/\xff\xfe.pcap")).write_bytes(data)
    (here / "sub").mkdir()
    monkeypatch.chdir(here)
    listed = tmp_path / "list"
    listed.write_bytes(b"\0".join(os.fsencode(path) for path in here.glob("*.pcap")) + b"\0")
    outcome = classify(["@list.pcap", f"@{listed}", "sub/../*.pcap", str(here)], tmp_path / "dataset", workers=2)
    assert (outcome.captures, outcome.done) == (7, 7)
    assert [str(error) for error in outcome.missing] == []
    found = set(names(tmp_path / "dataset"))
    assert found == {
        "new\\x0aline.pcap", "..pcap..pcap", "café ☃.pcap", "\\x1b[31mred.pcap", "a'b\"c;$(x).pcap", "@list.pcap",
        "\\xff\\xfe.pcap",
    }  # fmt: skip
    shown = command(here, "-o", tmp_path / "dataset")
    assert shown.returncode == 0 and "\x1b" not in shown.stdout + shown.stderr


def test_inputs_are_found_once_and_datasets_are_not_searched(dataset: Path, tmp_path: Path) -> None:
    here = tmp_path / "in"
    (here / "deep" / "er").mkdir(parents=True)
    (here / ".hidden").mkdir()
    for name in ("a.pcap", "deep/b.pcap", "deep/er/c.pcapng", ".hidden/d.pcap", "deep/.e.pcap"):
        (here / name).write_bytes(b"")
    (here / "deep" / "letter.txt").write_text("dear", encoding="ascii")
    shutil.copytree(dataset, here / "old dataset")
    paths, errors = inputs.find([here, here / "a.pcap", str(here / "**" / "*.pcap"), str(here / "no*"), here / "x"])
    assert [Path(path).relative_to(here).as_posix() for path in paths] == ["a.pcap", "deep/b.pcap", "deep/er/c.pcapng"]
    assert [error.message for error in errors] == ["no file has a name like that", "no such file"]


@pytest.mark.parametrize(
    ("name", "site"),
    [("a/b/c.pcap", "a"), ("c.pcap.gz", "c"), ("/mnt/x/y.pcap", "x"), (".pcap", "pcap"), ("a/.pcap", "a")],
)
def test_sites(name: str, site: str) -> None:
    assert inputs.site_of(name) == site


def test_the_command_says_what_is_where_and_ends_as_promised(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "dataset"
    done = command(folder, "-o", place)
    assert done.returncode == 3, "one file is no capture"
    assert done.stdout.startswith("7 captures of 3 sites, ")
    assert "digifort.media_input" in done.stdout and "site-01" in done.stdout
    assert "unreadable  site-02/notes.pcap: is a text file" in done.stdout
    assert "damaged     site-02/trace_00001.pcap: record" in done.stdout
    assert done.stderr == ""
    again = command(folder, "-o", place)
    assert again.stdout == done.stdout
    assert again.stderr == "classify: 7 of 7 captures were in the dataset already, unchanged\n"
    assert command(folder / "site-02" / "trace_00001.pcap", "-o", place, "-q").returncode == 4
    assert command(folder / "site-01", "-o", place, "-q").returncode == 0
    nothing = command(folder / "nothing", "-o", place)
    assert (nothing.returncode, nothing.stdout) == (3, "")
    assert nothing.stderr.endswith("nothing: no such file\n")
    for wrong in (
        ["--bin", "7"],
        ["--set", "NO-RULE.x=1"],
        ["--workers", "0"],
        ["--workers", "1", "--scheduler", "tcp://x:1"],
        ["-"],
    ):
        assert command(folder, "-o", place, *wrong).returncode == 2
    assert command(folder, "-o", tmp_path / "d", "--map", "nothing=1/tcp").returncode == 2
    assert "no scheduler at" in command(folder, "-o", place, "--fast", "--scheduler", "tcp://127.0.0.1:9").stderr


def test_a_file_called_batch_is_a_capture(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "site-01" / "trace_00001.pcap", tmp_path / "batch")
    done = subprocess.run(
        [sys.executable, "-m", "classifier", "batch"], capture_output=True, text=True, env=environment(), cwd=tmp_path,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.startswith("batch")


@posix
def test_ctrl_c_ends_it_with_what_is_done(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "dataset"
    process = subprocess.Popen(
        [*COMMAND, str(folder), "-o", str(place), "--workers", "1"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(place.glob("captures/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "classify: stopped; what is done stays; the same command continues\n"
    assert 0 < len(list(place.glob("captures/*.parquet"))) < 7


def test_findings_change_the_exit_code_only_when_asked_and_only_those_of_the_inputs(
    folder: Path, tmp_path: Path
) -> None:
    from classifier.render import parquet

    place = tmp_path / "dataset"
    classify(folder / "site-01", place, root=folder, workers=1)
    classify(folder / "site-03", place, workers=1)
    ids = {row["name"]: row["capture_id"] for row in read_table(place, "captures", ["capture_id", "name"])}
    row = {
        "capture_id": ids["site-01/trace_00001.pcap"], "code": "NET-X", "severity": "warning", "title": "two of them",
        "summary": "", "remedy": "", "display_filter": "", "flow_ids": [1, 2], "first_record": None, "source": "",
        "status": "fired", "skipped_because": None, "selected_packets": None,
    }  # fmt: skip
    columns = {column.name: [row.get(column.name, "")] for column in DATASET["findings"]}
    with (place / "findings" / f"{row['capture_id']}.parquet").open("wb") as file:
        parquet.write(parquet.arrow_table(DATASET["findings"], columns), file)
    shown = command(folder / "site-01", "-o", place, "-q", "--fail-on", "warning")
    assert shown.returncode == 1
    assert "warning NET-X" in shown.stdout and "two of them" in shown.stdout
    assert command(folder / "site-01", "-o", place, "-q", "--fail-on", "error").returncode == 0
    assert command(folder / "site-01", "-o", place, "-q").returncode == 0
    assert command(folder / "site-03", "-o", place, "-q", "--fail-on", "warning").returncode == 0
