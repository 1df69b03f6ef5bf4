"""Compiled kernels: kept in one file, loaded without the compiler, never trusted blindly."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier import jit, machine
from classifier.columns import PACKET
from classifier.flows import framing_table as ft
from classifier.flows.state import TCP_SIDE
from classifier.kernels import COMMON, ENTRIES, RARE
from classifier.plain import plain

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "classifier"
OBJECTS = {name: (f"classifier_{name}", bytes([number]) * number) for number, name in enumerate(sorted(COMMON))}

interpreted = pytest.mark.skipif(jit.interpreted_only(), reason="NUMBA_DISABLE_JIT")


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


CLASSIFY = "import sys; from classifier.cli import main; code = main(sys.argv[1:]); "
LOADED = "print(sorted({'numba', 'llvmlite'} & set(sys.modules)), file=sys.stderr); sys.exit(code)"


@pytest.fixture
def capture(tmp_path: Path) -> Callable[[int], str]:
    """Makes a capture of so many UDP packets."""

    def make(count: int) -> str:
        frame = bytes(12) + b"\x08\x00" + b"\x45\x00\x00\x1e" + bytes(4) + b"\x40\x11\x00\x00"
        frame += bytes((10, 0, 0, 1, 10, 0, 0, 2)) + b"\x10\x00\x20\x00\x00\x0a\x00\x00" + b"ab"
        header = b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(8) + b"\xff\xff\x00\x00\x01\x00\x00\x00"
        size = len(frame).to_bytes(4, "little")
        records = [
            (1_700_000_000 + k // 1000).to_bytes(4, "little") + bytes(4) + size + size + frame for k in range(count)
        ]
        path = tmp_path / f"{count}.pcap"
        path.write_bytes(header + b"".join(records))
        return str(path)

    return make


def test_what_is_packed_is_unpacked() -> None:
    assert machine.unpack(machine.pack(OBJECTS)) == OBJECTS


def test_a_file_with_one_wrong_bit_is_not_loaded(tmp_path: Path) -> None:
    whole = machine.pack(OBJECTS)
    file = tmp_path / "kernels"
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert machine.load(file) is None


@pytest.mark.parametrize("size", (0, 1, 64, 65, 66, 200, -1))
def test_a_file_that_was_cut_is_not_loaded(size: int, tmp_path: Path) -> None:
    file = tmp_path / "kernels"
    file.write_bytes(machine.pack(OBJECTS)[:size])
    assert machine.load(file) is None


def test_a_file_of_other_kernels_is_not_loaded(tmp_path: Path) -> None:
    file = tmp_path / "kernels"
    machine.save(file, OBJECTS)
    assert machine.load(file) == OBJECTS
    machine.save(file, {name: OBJECTS[name] for name in list(OBJECTS)[1:]})
    assert machine.load(file) is None
    assert machine.load(tmp_path / "missing") is None
    assert machine.load(tmp_path) is None


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    machine.save(tmp_path / "file" / "below" / "kernels", OBJECTS)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_kernels_of_long_ago_are_removed_and_nothing_else(tmp_path: Path) -> None:
    old = ("a.kernels", "b.part", "0123456789abcdef", "other.txt", "folder")
    for name in old:
        path = tmp_path / name
        if "." in name:
            path.write_bytes(b"")
        else:
            path.mkdir()
        os.utime(path, (1, 1))
    (tmp_path / "recent.kernels").write_bytes(b"")
    machine.save(tmp_path / "new.kernels", OBJECTS)
    assert {path.name for path in tmp_path.iterdir()} == {"other.txt", "folder", "recent.kernels", "new.kernels"}


def test_the_table_of_entries_fits_the_kernels() -> None:
    registry, _ = jit.registered()
    for name, entry in ENTRIES.items():
        assert registry[name].__code__.co_argcount == len(entry.arguments), name


def test_every_kernel_that_the_program_calls_is_an_entry() -> None:
    called = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value).split(".")[-1] == "kernels":
                called.add(node.attr)
    called -= {"compiled", "ENTRIES", "PACKAGES", "RARE", "COMMON"}
    assert called == set(ENTRIES)


@pytest.mark.parametrize("count", (1, 2, 3))
def test_compilers_share_all_entries(count: int) -> None:
    shares = machine._shares(frozenset(ENTRIES), count)
    assert len(shares) == count
    assert sorted(name for share in shares for name in share) == sorted(ENTRIES)


@interpreted
@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (np.zeros(2, TCP_SIDE),),
        (np.zeros(2, TCP_SIDE), 1, 1),
        (np.zeros(2, PACKET), 1),
        (np.zeros((2, 2), TCP_SIDE), 1),
        (np.zeros(4, TCP_SIDE)[::2], 1),
    ],
)
def test_a_wrong_argument_is_refused_before_it_is_believed(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        jit.speed(True).finish_tcp(*arguments)


@interpreted
def test_compiled_kernels_need_no_compiler_once_they_are_kept(capture: Callable[[int], str]) -> None:
    assert machine.entries() is not None
    done = run(CLASSIFY + LOADED, capture(5000), "-q")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "['llvmlite']\n"


@interpreted
def test_the_first_run_on_a_small_capture_compiles_nothing(capture: Callable[[int], str], tmp_path: Path) -> None:
    done = run(CLASSIFY + LOADED, capture(1000), CLASSIFIER_CACHE_DIR=str(tmp_path / "empty"))
    assert done.returncode == 0, done.stderr
    assert done.stderr == "[]\n"
    assert not (tmp_path / "empty").exists()


@interpreted
def test_a_damaged_file_means_a_new_one_announced_with_the_same_result(
    capture: Callable[[int], str], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    file = cache / machine.kept_in(COMMON).name
    file.write_bytes(b"\x7fELF" + bytes(1000))
    path = capture(5000)
    first, second = (
        run(CLASSIFY + LOADED, path, "--format", "json", CLASSIFIER_CACHE_DIR=str(cache)) for _ in range(2)
    )
    plain_one = run(CLASSIFY + LOADED, path, "--format", "json", NUMBA_DISABLE_JIT="1")
    assert first.stderr.startswith("classify: first run: compiling the kernels"), first.stderr
    assert first.stderr.endswith("['llvmlite']\n"), "the compiler runs in processes of its own"
    assert second.stderr == "['llvmlite']\n"
    assert {item.name for item in cache.iterdir()} == {file.name, machine.LOCK}
    assert first.stdout == second.stdout == plain_one.stdout != ""


def rtsp_sample() -> str:
    """A capture with media inside RTSP, of which the kernels are rare."""
    return str(PACKAGE.parent / "captures" / "digifort_site.pcapng")


@interpreted
def test_rare_kernels_are_compiled_when_they_are_first_called(tmp_path: Path) -> None:
    program = (
        "import sys; from classifier import engine, jit, matching; jit.on_compile(lambda text: print(text[:30]));"
        "result = engine.read(sys.argv[1], signatures=matching.load_signatures(), compiled=True);"
        "print(len(result.streams))"
    )
    cache = tmp_path / "cache"
    said = [run(program, rtsp_sample(), CLASSIFIER_CACHE_DIR=str(cache)).stdout.splitlines() for _ in range(2)]
    assert [line.split()[0] for line in said[0]] == ["first", "compiling", said[1][0]]
    assert {item.name for item in cache.glob("*.kernels")} == {
        machine.kept_in(COMMON).name,
        machine.kept_in(RARE).name,
    }
    assert len(said[1]) == 1


@interpreted
def test_a_small_capture_never_waits_for_rare_kernels(tmp_path: Path) -> None:
    """As long as they are not kept it is interpreted, though the common ones are."""
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / machine.kept_in(COMMON).name).write_bytes(b"not looked at")
    done = run(CLASSIFY + LOADED, rtsp_sample(), CLASSIFIER_CACHE_DIR=str(cache))
    assert done.returncode == 0
    assert done.stderr == "[]\n"


@interpreted
def test_processes_that_start_at_once_compile_once(tmp_path: Path) -> None:
    """The second waits for the first and takes what it kept."""
    program = (
        "import sys, time; from pathlib import Path; from classifier import machine\n"
        "def compile_all(names):\n"
        "    time.sleep(1); print('compiled', flush=True); return {name: (name, b'code') for name in names}\n"
        "machine.compile_all = compile_all; machine.link = lambda objects: objects\n"
        "machine.cache_directory = lambda: Path(sys.argv[1])\n"
        "print(len(machine.entries()))"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "cache")]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=60)[0].split() for process in running]
    assert sum("compiled" in words for words in said) == 1
    assert {words[-1] for words in said} == {str(len(machine.ENTRIES))}


def test_where_nothing_can_be_compiled_reading_is_slow_and_right(capture: Callable[[int], str], tmp_path: Path) -> None:
    path = capture(5000)
    broken = "import sys; sys.executable = '/nowhere/python'; " + CLASSIFY + "sys.exit(code)"
    done = run(broken, path, "--format", "json", CLASSIFIER_CACHE_DIR=str(tmp_path / "cache"))
    right = run(CLASSIFY + "sys.exit(code)", path, "--format", "json")
    assert "the kernels cannot be compiled, reading is slow: " in done.stderr
    assert done.returncode == 0
    assert done.stdout == right.stdout != ""


def test_interpreted_kernels_write_through_to_the_arrays() -> None:
    rows, counts = np.zeros(3, ft.HOLD), np.zeros(2, "i8")

    def change(group: tuple[Any, ...], at: int) -> int:
        table, numbers = group
        numbers[1] += 7
        row = table[at]
        row["base"] = 5
        table[at]["parts"] = row["base"] + 1
        assert table[at + 1]["base"] == 0
        starts = table[at + 1]["starts"]
        starts[1] = starts[0] + 3
        table[at + 2] = row
        table[at + 2]["starts"][2] = 4
        row["base"] = 8
        return len(table)

    assert plain(change)((rows, counts), 0) == 3
    assert rows["base"].tolist() == [8, 0, 5]
    assert rows["parts"].tolist() == [6, 0, 6]
    assert rows["starts"][:, :3].tolist() == [[0, 0, 0], [0, 3, 0], [0, 0, 4]]
    assert counts.tolist() == [0, 7]


@pytest.mark.parametrize("at", (-1, 3))
def test_interpreted_kernels_reach_no_row_outside(at: int) -> None:
    with pytest.raises(IndexError):
        plain(lambda rows: rows[at]["last_ns"])(np.zeros(3, TCP_SIDE))
