"""Every RTP stream of public captures is as tshark has it, but for the differences listed with reasons."""

from __future__ import annotations

from pathlib import Path

import pytest
import rtp_agreement
from conftest import corpus_files

FILES = corpus_files()
SAMPLES = sorted((Path(__file__).resolve().parent.parent / "captures").glob("*.pcap*"))


@pytest.mark.tshark
def test_streams_of_the_samples_are_tsharks() -> None:
    both, found = 0, {}
    for path in SAMPLES:
        shared, differing = rtp_agreement.differences(path)
        both += shared
        if differing:
            found[path.name] = differing
    names = {path.name for path in SAMPLES}
    listed = {name: entry for name, entry in rtp_agreement.read_list().items() if name in names}
    assert not rtp_agreement.complaints(found, listed)
    assert both >= 8


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.tshark
@pytest.mark.skipif(not FILES, reason="CLASSIFIER_CORPUS is not set")
def test_streams_of_the_corpus_are_tsharks() -> None:
    found: dict[str, list[str]] = {}
    both = 0
    for path in FILES:
        try:
            ours = rtp_agreement.our_streams(path)
        except rtp_agreement.classifier.CaptureError:
            continue
        if not ours:
            continue
        shared, differing = rtp_agreement.differences(path)
        both += shared
        if differing:
            found[path.name] = differing
    samples = {path.name for path in SAMPLES}
    listed = {name: entry for name, entry in rtp_agreement.read_list().items() if name not in samples}
    assert not rtp_agreement.complaints(found, listed)
    assert both >= 10


def test_a_stale_entry_and_a_new_difference_are_complaints() -> None:
    listed = {"x": {"differences": ["a"], "reason": "why"}}
    assert rtp_agreement.complaints({"x": ["a"]}, listed) == []
    assert rtp_agreement.complaints({}, listed)
    assert rtp_agreement.complaints({"x": ["a", "b"]}, listed)
    assert rtp_agreement.complaints({"x": ["a"]}, {"x": {"differences": ["a"], "reason": ""}})
