"""Several captures as one: time order, determinism, files that come one after another, broken ones."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from capture_files import T0, interface, pcap_header, pcap_record, section, simple, simple_pcap
from hypothesis import given
from hypothesis import strategies as st

from classifier.capture import CaptureSet, time_order
from classifier.errors import CaptureError, NotACaptureError


def capture(seconds: list[int], network: int = 1) -> bytes:
    return pcap_header(network=network) + b"".join(
        pcap_record(bytes([i & 255]) * 20, T0 + s) for i, s in enumerate(seconds)
    )


def merged(captures: CaptureSet) -> list[tuple[int, int, int]]:
    """(time in seconds after T0, capture, record number) in merged order."""
    rows: list[tuple[int, int, int]] = []
    with captures:
        for window in captures.batches():
            part_rows = []
            for index, batch, lo, hi in window:
                assert lo < hi <= len(batch)
                times = batch.records["ts_ns"][lo:hi]
                numbers = batch.first_record + np.arange(lo, hi)
                part_rows += [(int(t) // 10**9 - T0, index, int(n)) for t, n in zip(times, numbers, strict=True)]
            order = time_order(window)
            assert sorted(order.tolist()) == list(range(len(part_rows)))
            rows += [part_rows[i] for i in order]
    return rows


def expected(files: list[list[int]]) -> list[tuple[int, int, int]]:
    """A stable sort by (time, none earlier than before it in its file; capture; record)."""
    keyed = []
    for index, seconds in enumerate(files):
        latest = -(10**9)
        for number, second in enumerate(seconds, 1):
            latest = max(latest, second)
            keyed.append((latest, index, number, second))
    return [(second, index, number) for _, index, number, second in sorted(keyed)]


def sources(files: list[list[int]]) -> list[io.BytesIO]:
    return [io.BytesIO(capture(seconds)) for seconds in files]


@given(
    files=st.lists(st.lists(st.integers(0, 30), max_size=25), min_size=1, max_size=5),
    batch=st.sampled_from([1, 2, 3, 7, 4096]),
)
def test_any_captures_merge_to_the_same_order_at_any_batch_size(files: list[list[int]], batch: int) -> None:
    assert merged(CaptureSet(sources(files), batch=batch)) == expected(files)


def test_sorted_captures_give_a_sorted_stream() -> None:
    files = [sorted(range(i, 3000, 7)) for i in range(5)]
    rows = merged(CaptureSet(sources(files)))
    assert rows == expected(files)
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


def test_rotated_files_are_read_one_after_another(tmp_path: Path) -> None:
    """Given in any order; each window is then one whole batch of one file."""
    paths = []
    for i in (2, 0, 1):
        path = tmp_path / f"{i}.pcap"
        path.write_bytes(capture(list(range(i * 100, i * 100 + 100))))
        paths.append(path)
    with CaptureSet(paths) as captures:
        windows = list(captures.batches())
        assert [[(index, lo, hi) for index, _, lo, hi in window] for window in windows] == [
            [(1, 0, 100)],
            [(2, 0, 100)],
            [(0, 0, 100)],
        ]
        assert [info.packets for info in captures.infos] == [100, 100, 100]


def test_more_captures_than_stay_open(tmp_path: Path) -> None:
    files = []
    for i in range(40):
        seconds = list(range(i * 10, i * 10 + 15))
        data = capture(seconds)
        (tmp_path / f"{i:02}.pcap").write_bytes(gzip.compress(data) if i % 2 else data)
        files.append(seconds)
    paths = sorted(tmp_path.iterdir())
    captures = CaptureSet(paths)
    infos = captures.infos
    assert captures.size == sum(path.stat().st_size for path in paths)
    assert merged(captures) == expected(files)
    assert [info.packets for info in infos] == [15] * 40  # the same objects
    assert captures.bytes_read == captures.size
    assert all(len(info.interfaces) == 1 for info in infos)


def test_a_file_that_goes_away_before_its_turn_is_named(tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / f"{i:02}.pcap").write_bytes(capture([i]))
    captures = CaptureSet(sorted(tmp_path.iterdir()))
    (tmp_path / "07.pcap").unlink()
    rows = merged(captures)
    assert len(rows) == 19
    broken = captures.infos[7]
    assert (broken.complete, broken.packets, broken.problems[0].code) == (False, 0, "io")
    assert "no such file" in broken.problems[0].message


def test_link_types_and_broken_files_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(capture([0, 2]))
    (tmp_path / "b.pcap").write_text("no capture")
    (tmp_path / "c.pcap").write_bytes(capture([1, 3], network=113)[:-5])
    captures = CaptureSet([tmp_path / "a.pcap", tmp_path / "b.pcap", tmp_path / "c.pcap", tmp_path / "missing"])
    assert [type(error) for error in captures.unreadable] == [NotACaptureError, CaptureError]
    assert merged(captures) == [(0, 0, 1), (1, 1, 1), (2, 0, 2)]
    assert [info.link_types for info in captures.infos] == [["ETHERNET"], ["LINUX_SLL"]]
    assert [info.complete for info in captures.infos] == [True, False]


def test_nothing_readable_raises_the_first_error(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="first"):
        CaptureSet([tmp_path / "first", tmp_path / "second"])


def test_small_sets_run_interpreted_and_mixed_ones_compiled() -> None:
    with CaptureSet([io.BytesIO(simple_pcap(5)), io.BytesIO(simple_pcap(5))]) as captures:
        assert (captures.small, captures.compiled) == (True, False)
    big = pcap_header() + pcap_record(b"x") * 5000
    with CaptureSet([io.BytesIO(simple_pcap(5)), io.BytesIO(big)]) as captures:
        assert (captures.small, captures.compiled) == (False, True)
        assert sum(hi - lo for window in captures.batches() for _, _, lo, hi in window) == 5005


def test_captures_without_times_come_first() -> None:
    untimed = section() + interface() + simple(b"x" * 20) * 3
    files = [io.BytesIO(capture([5, 6])), io.BytesIO(untimed), io.BytesIO(pcap_header())]
    rows = merged(CaptureSet(files))
    assert [(index, number) for _, index, number in rows] == [(1, 1), (1, 2), (1, 3), (0, 1), (0, 2)]


def test_a_window_stays_valid_until_the_next_one() -> None:
    """The buffers of a window must hold what its rows say, also for the parts of slower captures."""
    files = [list(range(0, 4000, 3)), list(range(0, 4000, 2)), list(range(1500, 1700))]
    data = [io.BytesIO(capture(seconds)) for seconds in files]
    count = 0
    with CaptureSet(data, chunk=500, batch=50) as captures:
        for window in captures.batches():
            for _index, batch, lo, hi in window:
                for row, number in zip(batch.records[lo:hi], range(batch.first_record + lo, 10**9), strict=False):
                    frame = batch.buffer[row["offset"] : row["offset"] + row["captured"]].tobytes()
                    assert frame == bytes([(number - 1) & 255]) * 20
                    count += 1
    assert count == sum(len(seconds) for seconds in files)


def test_many_overlapping_captures_share_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from classifier.capture import merge

    sizes: list[int] = []
    real = merge.open_capture

    def opened(source: object, **options: int) -> object:
        sizes.append(options["chunk"])
        return real(source, **options)

    for i in range(40):
        (tmp_path / f"{i:02}.pcap").write_bytes(capture(list(range(10))))
    paths = sorted(tmp_path.iterdir())
    monkeypatch.setattr(merge, "open_capture", opened)
    captures = CaptureSet(paths)
    assert sizes == [merge.PEEK] * 40
    sizes.clear()
    assert len(merged(captures)) == 400
    assert sizes[0] == merge.CHUNK and sizes == sorted(sizes, reverse=True)
    assert sum(sizes) * merge.POOL < 5 * merge.BUFFERS
