"""Whose loss it is: the capture's when many streams have a gap at once, the path's when one has."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.tables import losses as module
from classifier.tables.losses import Losses, losses

MS = 1_000_000
WIDTH = 100 * MS


def told(
    gaps: list[tuple[int, int, int]], streams: int, *, senders: list[int] | None = None, seconds: int = 60
) -> Losses:
    """`gaps`: (stream, bin, lost); every stream is on from bin 0 to the end."""
    stream, number, lost = (
        (np.array(values, "i8") for values in zip(*gaps, strict=True)) if gaps else [np.zeros(0, "i8")] * 3
    )
    sender = np.array(senders if senders is not None else range(streams), "i8")
    ends = np.zeros(streams, "i8"), np.full(streams, seconds * 1000 * MS, "i8")
    return losses(stream, number * WIDTH, lost, WIDTH, sender, *ends)


def test_a_gap_in_one_stream_is_its_own() -> None:
    result = told([(0, 5, 7), (1, 90, 2), (2, 300, 1)], 4)
    assert (result.with_others.tolist(), result.alone.tolist(), result.moments) == ([0] * 4, [7, 2, 1, 0], 0)


def test_gaps_at_one_instant_in_most_streams_are_the_captures() -> None:
    result = told([(0, 5, 7), (1, 5, 3), (2, 6, 2), (0, 200, 1)], 4)
    assert result.with_others.tolist() == [7, 3, 2, 0]
    assert result.alone.tolist() == [1, 0, 0, 0]
    assert result.moments == 1


def test_two_streams_or_a_third_of_them_are_not_enough() -> None:
    assert told([(0, 5, 1), (1, 5, 1)], 3).moments == 0
    assert told([(n, 5, 1) for n in range(3)], 7).moments == 0
    assert told([(n, 5, 1) for n in range(3)], 6).moments == 1


def test_streams_of_one_camera_share_its_cable() -> None:
    gaps = [(n, 5, 1) for n in range(3)]
    assert told(gaps, 3, senders=[9, 9, 9]).moments == 0
    assert told(gaps, 3, senders=[9, 9, 8]).moments == 1


def test_instants_further_apart_than_two_bins_are_not_one() -> None:
    assert told([(0, 5, 1), (1, 6, 1), (2, 7, 1)], 3).moments == 0
    assert told([(n, at, 1) for n in range(3) for at in (5, 20)], 3).moments == 2


def test_streams_that_are_off_do_not_count() -> None:
    stream, number, lost = np.arange(3), np.full(3, 500), np.ones(3, "i8")
    sender = np.arange(9)
    first = np.array([0] * 9) * WIDTH
    last = np.array([600] * 3 + [400] * 6) * WIDTH
    assert losses(stream, number * WIDTH, lost, WIDTH, sender, first, last).moments == 1


def test_what_came_late_is_no_gap() -> None:
    late = [(n, 5, 2) for n in range(3)] + [(n, 6, -2) for n in range(3)]
    result = told(late, 3)
    assert (result.moments, result.alone.sum()) == (0, 0)
    result = told([(0, 5, 2), (0, 6, 3), (0, 9, -4), (1, 9, 4), (2, 9, -1)], 3)
    assert result.alone.tolist() == [1, 4, 0]


def test_independent_heavy_loss_stays_with_each_stream() -> None:
    rng = random.Random(4)
    gaps = [(n, at, 1) for n in range(6) for at in range(600) if rng.random() < 0.4]
    result = told(gaps, 6)
    assert result.with_others.sum() < 0.1 * result.alone.sum()


def test_a_capture_that_often_loses_is_still_known() -> None:
    rng = random.Random(5)
    gaps = [(n, at, 4) for at in range(0, 600, 6) if rng.random() < 0.8 for n in range(6)]
    result = told(gaps, 6)
    assert result.alone.sum() == 0


def naive(
    gaps: list[tuple[int, int, int]], sender: list[int], spans: list[tuple[int, int]]
) -> tuple[list[int], list[int]]:
    """The rule as it is written, window by window."""
    windows = {at - back for _, at, _ in gaps for back in (0, 1)}
    having = {w: {s for s, at, lost in gaps if lost and at in (w, w + 1)} for w in windows}
    common = set()
    for w in windows:
        active = [s for s, (a, b) in enumerate(spans) if a - 1 <= w <= b]
        chance = sum(sum(s in having[v] for v in windows) / (spans[s][1] - spans[s][0] + 2) for s in active)
        found = having[w]
        if (
            len(found) >= module.STREAMS
            and len({sender[s] for s in found}) >= module.SENDERS
            and len(found) >= module.SHARE * len(active)
            and len(found) >= module.CHANCE * chance - 1e-9
        ):
            common.add(w)
    both = [0] * len(sender), [0] * len(sender)
    for s, at, lost in gaps:
        both[not (at in common or at - 1 in common)][s] += lost
    return both


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_rule_window_by_window(data: Any) -> None:
    n = data.draw(st.integers(1, 6))
    sender = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    spans = [tuple(sorted(data.draw(st.tuples(st.integers(-30, 60), st.integers(-30, 60))))) for _ in range(n)]
    gaps = []
    for s, (a, b) in enumerate(spans):
        for at in data.draw(st.sets(st.integers(a, b), max_size=5)):
            gaps.append((s, at, data.draw(st.integers(0, 4))))
    columns = [np.array([gap[k] for gap in gaps], "i8") for k in range(3)]
    first = np.array([a for a, _ in spans], "i8") * WIDTH + 5
    last = np.array([b for _, b in spans], "i8") * WIDTH + 7
    result = losses(columns[0], columns[1] * WIDTH, columns[2], WIDTH, np.array(sender, "i8"), first, last)
    assert (result.with_others.tolist(), result.alone.tolist()) == naive(gaps, sender, spans)
