"""The command as a process: pipes, signals, terminals, real captures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CAPTURES = ROOT / "captures"
SITE = CAPTURES / "digifort_site.pcapng"
NEIGHBOURS = CAPTURES / "neighbours.pcapng"
COMMAND = [sys.executable, "-m", "classifier"]

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and terminals")


def environment(**changes: str) -> dict[str, str]:
    dropped = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "CLASSIFIER_TRACEBACK")
    return {**{k: v for k, v in os.environ.items() if k not in dropped}, "PYTHONPATH": str(ROOT), **changes}


def run(*arguments: str | Path, data: bytes | None = None, **options: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], input=data, capture_output=True, env=environment(**options), check=False
    )


def test_a_capture_from_a_path_and_from_standard_input_is_the_same_report() -> None:
    from_path, from_input = run(SITE), run("-", data=SITE.read_bytes())
    assert from_path.returncode == from_input.returncode == 0
    assert from_path.stderr == from_input.stderr == b""
    assert from_path.stdout.split(b"\n")[1:] == from_input.stdout.split(b"\n")[1:]
    assert b"standard input" in from_input.stdout.split(b"\n")[0]


def test_the_overview_of_every_sample_fits_the_screen() -> None:
    samples = [path for path in CAPTURES.iterdir() if path.suffix in (".pcap", ".pcapng")]
    assert len(samples) >= 3
    for sample in samples:
        done = run(sample)
        lines = done.stdout.decode().splitlines()
        assert done.returncode == 0, done.stderr
        assert len(lines) <= 38, sample
        assert max(map(len, lines)) <= 100, sample


def test_neighbours_are_no_vms() -> None:
    assert b"No Digifort or Digital Sentry component seen." in run(NEIGHBOURS).stdout
    assert b"No Digifort" not in run(SITE).stdout


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_each_form_on_stdout_and_in_a_file_is_the_same(form: str, tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    shown = run(SITE, "--format", form)
    written = run(SITE, "--format", form, "-o", path)
    assert written.stdout == written.stderr == b""
    assert path.read_bytes() == shown.stdout
    assert len(shown.stdout) > 500
    if form == "json":
        assert json.loads(shown.stdout)["schema_version"] == 1


def test_damage_is_exit_4_with_its_place_and_one_bad_file_does_not_stop_the_rest(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(SITE.read_bytes()[:-20])
    done = run(cut, "--format", "csv")
    assert done.returncode == 4
    assert done.stderr.startswith(f"classify: {cut}: record ".encode())
    assert done.stdout.startswith(b"id,product,name")
    text = tmp_path / "text.pcap"
    text.write_text("hello, this is no capture\n")
    done = run(text, SITE, tmp_path / "missing.pcap")
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 2
    assert b"text.pcap" in done.stderr
    assert b"missing.pcap" in done.stderr
    assert b"Digifort" in done.stdout


@pytest.mark.parametrize("name", ["empty", "text", "missing", "folder", "closed"])
def test_bad_input_is_one_sentence_and_exit_3(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
        (path / "notes.txt").write_text("no capture here")
    elif name == "text":
        path.write_text("Dear support,\n")
    elif name != "missing":
        path.write_bytes(b"" if name == "empty" else SITE.read_bytes())
    if name == "closed":
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("this user may read everything")
    done = run(path)
    assert done.returncode == 3
    assert done.stdout == b""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert str(path).encode() in done.stderr


@posix
def test_a_reader_that_leaves_is_no_error() -> None:
    for arguments in ([str(SITE), "--section", "flows"], ["--help"], ["signatures", "list"]):
        process = subprocess.Popen(
            [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b"", arguments
        assert process.wait() == 141, arguments
        process.stderr.close()


@posix
def test_a_full_disk_is_a_sentence() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, str(SITE)], stdout=full, stderr=subprocess.PIPE, env=environment(), check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith(b"classify: standard output: No space left")
    assert len(done.stderr.splitlines()) == 1


@posix
def test_ctrl_c_prints_what_was_read_so_far() -> None:
    process = subprocess.Popen(
        [*COMMAND, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert process.stdin is not None
    process.stdin.write(SITE.read_bytes())
    process.stdin.flush()
    time.sleep(3)  # it has read them and waits for more
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Digifort" in out
    assert b"Ctrl-C; all that had been sent was read" in out  # `communicate` closed the pipe while it waited for more
    assert b"Traceback" not in err


@posix
def test_on_a_terminal_there_is_colour_unless_it_is_not_wanted() -> None:
    assert b"\x1b[" in on_a_terminal()
    assert b"\x1b[" not in on_a_terminal(NO_COLOR="1")
    assert b"\x1b[" not in on_a_terminal(TERM="dumb")


def on_a_terminal(**options: str) -> bytes:
    import pty

    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, str(SITE)],
        stdin=child,
        stdout=child,
        stderr=subprocess.DEVNULL,
        env=environment(**{"TERM": "xterm-256color", **options}),
    )
    os.close(child)
    shown = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:  # the terminal's other side is closed
            break
        if not part:
            break
        shown += part
    os.close(parent)
    assert process.wait() == 0
    return shown


def test_help_needs_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys; from classifier.cli import main; main(['--help']); "
        "print(*sorted({m.partition('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False)
    loaded = set(done.stderr.split())
    assert "click" in loaded
    assert not loaded & {"numpy", "numba", "pandas", "scapy", "rich", "pyshark", "isal", "zstandard", "json", "secrets"}
