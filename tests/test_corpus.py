"""Every capture of a folder is read without a crash, and its packets, bytes and flows are tshark's.

`CLASSIFIER_CORPUS` names the folder; without it these tests are skipped. `data/agreement.toml` lists the files of the
public corpus that differ from tshark, how far and why, `data/corpus_findings.toml` what findings say of it; an entry
that no longer holds fails.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import agreement
import pytest
from agreement import Opinion, name_of
from conftest import corpus_files
from oracles import HAVE_TSHARK

import classifier
from classifier.errors import CaptureError
from classifier.findings.examine import FAULT

FILES = corpus_files()
FINDINGS = Path(__file__).resolve().parent / "data" / "corpus_findings.toml"

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.slow,
    pytest.mark.skipif(not FILES, reason="CLASSIFIER_CORPUS is not set"),
]


class Corpus(NamedTuple):
    """What came of the files: reports as JSON documents, the messages of errors that refused them, opinions."""

    documents: dict[Path, dict[str, Any]]
    refused: dict[Path, str]
    ours: dict[Path, Opinion]
    theirs: Iterator[Opinion]  # in the order of FILES; of no file without tshark


@pytest.fixture(scope="module")
def corpus() -> Iterator[Corpus]:
    """Every file classified once; tshark reads them meanwhile."""
    with agreement.tshark_opinions(FILES if HAVE_TSHARK else ()) as theirs:
        result = Corpus({}, {}, {}, theirs)
        for path in FILES:
            try:
                report = classifier.classify(path)
            except CaptureError as error:
                result.refused[path] = str(error)
            else:
                result.documents[path] = report.to_dict()
                result.ours[path] = agreement.our_opinion(report)
        yield result


def test_every_file_gives_a_report_or_a_clear_refusal(corpus: Corpus) -> None:
    assert len(corpus.documents) + len(corpus.refused) == len(FILES)
    for path, message in corpus.refused.items():
        assert path.name in message and "\n" not in message, message


def test_component_rows_sum_to_the_totals(corpus: Corpus) -> None:
    wrong = []
    for path, document in corpus.documents.items():
        for name in ("packets", "wire_bytes"):
            for section in ("components", "protocols", "captures"):
                if sum(row[name] for row in document[section]) != document["totals"][name]:
                    wrong.append((name_of(path), section, name))
    assert not wrong


def test_damage_is_named(corpus: Corpus) -> None:
    """A capture that is not complete says where and why."""
    silent = [
        name_of(path)
        for path, document in corpus.documents.items()
        for capture in document["captures"]
        if not capture["complete"] and not capture["problems"]
    ]
    assert not silent


def test_no_row_of_a_product_is_confirmed_by_chance(corpus: Corpus) -> None:
    """The public corpora hold no Digifort and no Digital Sentry: nothing there may be confirmed as theirs."""
    wrong = [
        (name_of(path), row["id"])
        for path, document in corpus.documents.items()
        for row in document["components"]
        if row["product"] in ("digifort", "digital_sentry") and row["grades"].get("confirmed", {}).get("flows")
    ]
    assert not wrong


def test_no_rule_of_a_product_fires(corpus: Corpus) -> None:
    """Nothing there is Digifort's or Digital Sentry's, so nothing can be wrong with it."""
    wrong = [
        (name_of(path), row["code"], row["title"])
        for path, document in corpus.documents.items()
        for row in document["findings"]
        if row["status"] == "fired" and row["code"].startswith(("DGF-", "DS-"))
    ]
    assert not wrong


def test_no_rule_stops_by_an_error_of_its_own(corpus: Corpus) -> None:
    faults = [
        (name_of(path), row["code"], row["skipped_because"])
        for path, document in corpus.documents.items()
        for row in document["findings"]
        if FAULT in (row["skipped_because"] or "")
    ]
    assert not faults


def test_findings_are_the_recorded_ones(corpus: Corpus) -> None:
    """As many of each rule as `data/corpus_findings.toml` has, with the reason why they are right there."""
    record = tomllib.loads(FINDINGS.read_text(encoding="utf-8"))
    if len(FILES) != record.pop("files"):
        pytest.skip("another corpus than the recorded one")
    assert all(row["why"] for row in record.values())
    counts: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for document in corpus.documents.values():
        fired = [row["code"] for row in document["findings"] if row["status"] == "fired"]
        counts.update(fired)
        files.update(set(fired))
    found = {code: (counts[code], files[code]) for code in sorted(counts)}
    assert found == {code: (row["findings"], row["files"]) for code, row in sorted(record.items())}


def test_reading_twice_gives_the_same_document(corpus: Corpus) -> None:
    for path in FILES[::40]:
        if document := corpus.documents.get(path):
            assert json.dumps(classifier.classify(path).to_dict()) == json.dumps(document)


@pytest.mark.tshark
def test_packets_bytes_and_flows_are_tsharks(corpus: Corpus) -> None:
    """On every file, but for the listed differences; flows on at least 97 % of the files."""
    found = {
        name_of(path): agreement.compare(corpus.ours.get(path, Opinion()), opinion)
        for path, opinion in zip(FILES, corpus.theirs, strict=True)
    }
    assert len(found) == len(FILES), "two files share a name"
    wrong = agreement.complaints(found, agreement.read_list())
    assert not wrong, "\n".join([*wrong, agreement.figures(found)])
    agreeing = sum(difference.flows is None for difference in found.values())
    assert agreeing >= agreement.SHARE * len(FILES), agreement.figures(found)
