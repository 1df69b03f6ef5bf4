"""What TCP flows of public captures went through is what tshark says, but for the differences listed with reasons."""

from __future__ import annotations

from collections import Counter

import pytest
import tcp_agreement
from conftest import corpus_files

FILES = corpus_files()


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.tshark
@pytest.mark.skipif(not FILES, reason="CLASSIFIER_CORPUS is not set")
def test_tcp_counts_are_tsharks() -> None:
    """On every file, but for the listed differences; on at least 95 % of the files all counts agree."""
    found, sums = tcp_agreement.measure(FILES)
    wrong = tcp_agreement.complaints(found, tcp_agreement.read_list())
    assert not wrong, "\n".join([*wrong, tcp_agreement.figures(found, sums)])
    kinds = (*tcp_agreement.COUNTS, tcp_agreement.STATE)
    assert all(sums[field] for field in kinds), "the corpus shows nothing of it"
    assert sum(not pairs for pairs in found.values()) >= 0.95 * len(FILES)


@pytest.mark.parametrize(
    ("segments", "state"),
    [
        ("a:2", "attempt"),
        ("a:2 b:20", "refused"),
        ("a:2 b:18", "syn_ack_only"),
        ("b:18", "syn_ack_only"),
        ("a:2 b:18 a:16", "established"),
        ("a:2 b:18 a:16 a:17", "half_closed"),
        ("a:2 b:18 a:16 a:17 b:17", "closed"),
        ("a:2 b:18 a:16 b:20", "reset"),
        ("a:2 b:18 a:4", "reset"),
        ("a:16 b:16", "midstream"),
        ("a:16 b:17 a:17", "midstream_closed"),
        ("a:24 b:4", "midstream_reset"),
    ],
)
def test_the_state_that_tsharks_flags_come_to(segments: str, state: str) -> None:
    parsed = [((word[0], 1), int(word[2:])) for word in segments.split()]
    assert tcp_agreement.state_of(parsed) == state


def test_a_stale_entry_and_a_new_difference_are_complaints() -> None:
    a, b = ("10.0.0.1", 1), ("10.0.0.2", 2)
    ours, theirs = Counter({("keep_alive", a, b): 2}), Counter({("keep_alive", b, a): 2})
    pairs = tcp_agreement.compare(ours, theirs)
    assert pairs == {"keep_alive": [2, 2]}
    assert tcp_agreement.complaints({"x": pairs}, {}) == ["x: found {'keep_alive': [2, 2]}, listed nothing"]
    assert tcp_agreement.complaints({"x": pairs}, {"x": (pairs, "why")}) == []
    assert tcp_agreement.complaints({"x": {}}, {"x": (pairs, "why")})
    assert tcp_agreement.complaints({"x": pairs}, {"x": (pairs, "")}) == ["x: listed without a reason"]
