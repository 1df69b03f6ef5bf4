"""Every capture of a folder is read without a crash, and counted as Wireshark counts it.

`CLASSIFIER_CORPUS` names the folder; without it these tests are skipped. `data/corpus_differences.toml` lists the
files whose counts differ from Wireshark's, with the reason; an entry that no longer holds fails as stale.
"""

from __future__ import annotations

import json
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

import oracles
import pytest
from conftest import corpus_files

import classifier
from classifier.errors import CaptureError

DIFFERENCES = Path(__file__).resolve().parent / "data" / "corpus_differences.toml"
FILES = corpus_files()

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not FILES, reason="CLASSIFIER_CORPUS is not set"),
]


def name_of(path: Path) -> str:
    """The last three parts of the path: enough to tell files apart, wherever the corpus lies."""
    return "/".join(path.parts[-3:])


@lru_cache(maxsize=1)
def documents() -> dict[Path, dict[str, Any] | str]:
    """The report of every file, or the message of the error that refused it."""
    result: dict[Path, dict[str, Any] | str] = {}
    for path in FILES:
        try:
            result[path] = classifier.classify(path).to_dict()
        except CaptureError as error:
            result[path] = str(error)
    return result


def counted(document: dict[str, Any] | str) -> tuple[int, int] | None:
    if isinstance(document, str):
        return None
    return document["totals"]["packets"], document["totals"]["wire_bytes"]


def test_every_file_gives_a_report_or_a_clear_refusal() -> None:
    for path, document in documents().items():
        if isinstance(document, str):
            assert path.name in document and "\n" not in document, document


def test_component_rows_sum_to_the_totals() -> None:
    wrong = []
    for path, document in documents().items():
        if isinstance(document, str):
            continue
        for name in ("packets", "wire_bytes"):
            for section in ("components", "protocols"):
                if sum(row[name] for row in document[section]) != document["totals"][name]:
                    wrong.append((name_of(path), section, name))
            if sum(capture[name] for capture in document["captures"]) != document["totals"][name]:
                wrong.append((name_of(path), "captures", name))
    assert not wrong


def test_damage_is_named() -> None:
    """A capture that is not complete says where and why."""
    silent = [
        name_of(path)
        for path, document in documents().items()
        if not isinstance(document, str)
        for capture in document["captures"]
        if not capture["complete"] and not capture["problems"]
    ]
    assert not silent


def test_no_row_of_a_product_is_confirmed_by_chance() -> None:
    """The public corpora hold no Digifort and no Digital Sentry: nothing there may be confirmed as theirs."""
    wrong = [
        (name_of(path), row["id"])
        for path, document in documents().items()
        if not isinstance(document, str)
        for row in document["components"]
        if row["product"] in ("digifort", "digital_sentry") and row["grades"].get("confirmed", {}).get("flows")
    ]
    assert not wrong


@pytest.mark.tshark
def test_packets_and_wire_bytes_are_wiresharks() -> None:
    listed = {entry["file"]: entry for entry in tomllib.loads(DIFFERENCES.read_text())["difference"]}
    found: dict[str, tuple[object, object]] = {}
    for path, document in documents().items():
        ours = counted(document)
        for oracle in (oracles.capinfos, oracles.tshark_counts):  # the quick one first; tshark has the last word
            theirs = oracle(path)
            if (theirs and (theirs.packets, theirs.wire_bytes)) == ours:
                break
        else:
            found[name_of(path)] = (ours, theirs)
    unlisted = {name: pair for name, pair in found.items() if name not in listed}
    assert not unlisted, "\n".join(
        f"{name}: ours {ours}, Wireshark {theirs}" for name, (ours, theirs) in unlisted.items()
    )
    names = {name_of(path) for path in FILES}
    stale = [name for name in listed if name in names and name not in found]
    assert not stale, f"these agree now, take them off the list: {stale}"


def test_the_list_gives_reasons() -> None:
    for entry in tomllib.loads(DIFFERENCES.read_text())["difference"]:
        assert set(entry) == {"file", "reason"} and len(entry["reason"]) > 20, entry


def test_reading_twice_gives_the_same_document() -> None:
    for path in FILES[::40]:
        document = documents()[path]
        if not isinstance(document, str):
            assert json.dumps(classifier.classify(path).to_dict()) == json.dumps(document)
