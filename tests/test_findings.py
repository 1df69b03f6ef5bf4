"""What all findings share: the table, skipping, settings, the command's options and verbs, a page for each rule."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import classifier
from classifier import cli
from classifier.findings import Finding, Rule, Settings, Skipped, all_rules, needs
from classifier.findings.catalog import page
from classifier.findings.examine import FAULT, FINDINGS_OF_A_RULE, FLOWS_OF_A_FINDING, examine
from classifier.findings.model import FAMILIES, SEVERITIES, Need

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
SAMPLE = CAPTURES / "digifort_site.pcapng"
HEADINGS = ["What you see", "Why it matters", "How it was decided", "What to do", "When it can be wrong"]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(list(words))
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


def rule_of(check: Any, *wanted: Need) -> Rule:
    return Rule("NET-TEST", "warning", "a test", "do something", "ours", check, wanted)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Rows of the table when these are all rules."""

    def rows(*rules: Rule, report: Any = None) -> list[dict[str, Any]]:
        monkeypatch.setattr("classifier.findings.examine.all_rules", lambda: rules)
        return examine((report or classifier.classify(SAMPLE)).case)

    return rows


# the table


def test_a_rule_that_finds_nothing_has_no_row(only: Any) -> None:
    assert only(rule_of(lambda case, setting: [])) == []


def test_an_unmet_need_skips_the_rule_with_its_reason(only: Any) -> None:
    def never(case: Any, setting: Any) -> Iterator[Finding]:
        raise AssertionError("must not run")
        yield

    (row,) = only(rule_of(never, Need("the moon", lambda case: "there is no moon")))
    assert (row["status"], row["skipped_because"], row["title"]) == ("skipped", "there is no moon", "a test")


def test_what_fired_comes_worst_first_and_what_was_skipped_last(only: Any) -> None:
    def check(case: Any, setting: Any) -> Iterator[Finding | Skipped]:
        yield Skipped("cannot tell of the rest")
        yield Finding("little", "", severity="info")
        yield Finding("usual", "")
        yield Finding("bad", "", severity="error")

    rows = only(rule_of(check))
    assert [row["title"] for row in rows] == ["bad", "usual", "little", "a test"]
    assert [row["status"] for row in rows] == ["fired"] * 3 + ["skipped"]


def test_many_findings_of_one_rule_are_rolled_up(only: Any) -> None:
    count = 1000
    rows = only(rule_of(lambda case, setting: [Finding(f"n {k}", "", [k, k]) for k in range(count)]))
    assert len(rows) == FINDINGS_OF_A_RULE
    assert rows[-1]["title"] == f"{count - FINDINGS_OF_A_RULE + 1} more like this"
    assert len(rows[-1]["flow_ids"]) == FLOWS_OF_A_FINDING


def test_a_rule_that_breaks_costs_no_report(only: Any) -> None:
    def broken(case: Any, setting: Any) -> Iterator[Finding]:
        yield Finding("lost", "")
        raise ZeroDivisionError("of its own")

    (row,) = only(rule_of(broken))
    assert row["status"] == "skipped"
    assert FAULT in row["skipped_because"] and "ZeroDivisionError" in row["skipped_because"]


def test_a_display_filter_is_made_for_what_is_listed_only(only: Any) -> None:
    asked: list[int] = []

    def check(case: Any, setting: Any) -> Iterator[Finding]:
        for k in range(1000):
            yield Finding(f"n {k}", "", selection=lambda k=k: (f"frame.number == {k}", asked.append(k) or 1))

    rows = only(rule_of(check))
    assert asked == list(range(FINDINGS_OF_A_RULE - 1))
    assert [row["display_filter"] for row in rows] == [*(f"frame.number == {k}" for k in asked), ""]
    assert [row["selected_packets"] for row in rows] == [*[1] * len(asked), None]


def test_a_display_filter_that_breaks_costs_no_report(only: Any) -> None:
    (row,) = only(rule_of(lambda case, setting: [Finding("lost", "", selection=lambda: (str(1 // 0), 1))]))
    assert row["status"] == "skipped"
    assert FAULT in row["skipped_because"] and "ZeroDivisionError" in row["skipped_because"]


def test_a_product_that_is_not_there_is_a_reason(only: Any) -> None:
    neighbours = classifier.classify(CAPTURES / "neighbours.pcapng")
    (row,) = only(rule_of(lambda case, setting: [], needs.DIGIFORT), report=neighbours)
    assert "Digifort" in row["skipped_because"]


# settings


def test_a_setting_changes_what_fires() -> None:
    def fired(*words: str) -> list[str]:
        rows = classifier.classify(SAMPLE, settings=Settings.of(words)).rows("findings")
        return [row["code"] for row in rows if row["status"] == "fired"]

    assert "CAP-SNAPLEN" in fired()
    assert "CAP-SNAPLEN" not in fired("CAP-SNAPLEN.share=0.6")
    assert "CAP-SNAPLEN" not in fired("cap-snaplen.share = 0.6")


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("x", "write CODE.setting=number"),
        ("CAP-SNAPLEN=1", "write CODE.setting=number"),
        ("NO-SUCH.share=1", "no rule 'NO-SUCH'"),
        ("CAP-SNAPLEN.no=1", "CAP-SNAPLEN has share"),
        ("CAP-SNAPLEN.share=many", "'many' is no number"),
        ("CAP-SNAPLEN.share=-1", "'-1' is no number"),
        ("CAP-SNAPLEN.share=inf", "'inf' is no number"),
    ],
)
def test_a_wrong_setting_is_a_usage_error(word: str, says: str, run: Any) -> None:
    code, out, err = run(str(SAMPLE), "--set", word)
    assert (code, out) == (2, "")
    assert says in err


# every rule


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_a_rule_is_whole(rule: Rule) -> None:
    assert re.fullmatch(r"(CAP|NET|DGF|DS)(-[A-Z0-9]+)+", rule.code)
    assert rule.family in FAMILIES
    assert rule.severity in SEVERITIES
    assert all((rule.title, rule.remedy, rule.source))
    assert not rule.title.endswith(".")
    for item in rule.settings:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", item.name)
        assert item.meaning and item.default >= 0
    if rule.family in ("DGF", "DS"):
        assert rule.needs, "a product's rule needs the product"


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_a_rule_has_a_page_with_every_heading(rule: Rule) -> None:
    text = page(rule.code)
    assert text.startswith(f"# {rule.code}: ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    for part in re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]:
        assert len(part.split()) >= 8, f"{rule.code}: an empty chapter"
    named = set(re.findall(r"`([a-z][a-z0-9_]*)`", text))
    missing = [item.name for item in rule.settings if item.name not in named]
    assert not missing, f"settings that the page does not name: {missing}"


def test_there_is_no_page_without_a_rule() -> None:
    pages = {path.stem for path in (Path(classifier.__file__).parent / "findings" / "pages").glob("*")}
    assert pages == {rule.code for rule in all_rules()}


def test_no_two_rules_share_a_code() -> None:
    codes = [rule.code for rule in all_rules()]
    assert len(codes) == len(set(codes))


# the command


def test_the_list_names_every_rule(run: Any) -> None:
    code, out, _ = run("findings", "list")
    assert code == 0
    assert all(rule.code in out for rule in all_rules())
    assert run("findings")[1] == out


def test_a_rule_is_shown_with_page_settings_and_needs(run: Any) -> None:
    code, out, _ = run("findings", "show", "cap-snaplen")
    assert code == 0
    for text in ("What to do", "CAP-SNAPLEN.share = 0.01", "Requires: packets"):
        assert text in out


def test_an_unknown_rule_is_a_usage_error_with_a_hint(run: Any) -> None:
    code, _, err = run("findings", "show", "CAP-SNAPLAN")
    assert code == 2
    assert "did you mean CAP-SNAPLEN" in err


def test_explain_takes_a_rule_and_says_what_it_found_here(run: Any) -> None:
    code, out, _ = run(str(SAMPLE), "--explain", "cap-snaplen")
    assert code == 0
    assert "were not captured" in out
    assert "## What to do" in out
    code, out, _ = run(str(SAMPLE), "--explain", "CAP-SNAPLEN", "--set", "CAP-SNAPLEN.share=0.9")
    assert "CAP-SNAPLEN found nothing wrong in this capture." in out


def test_the_section_shows_findings_and_what_was_not_checked(run: Any) -> None:
    code, out, _ = run(str(CAPTURES / "neighbours.pcapng"), "--section", "findings")
    assert code == 0
    assert out.startswith("FINDINGS: ")


def test_json_has_the_columns_of_the_contract(run: Any) -> None:
    _, out, _ = run(str(SAMPLE), "--format", "json")
    rows = json.loads(out)["findings"]
    wanted = ("code", "severity", "title", "summary", "remedy", "display_filter", "flow_ids", "first_record", "source")
    assert rows
    assert all({*wanted, "status", "skipped_because"} <= row.keys() for row in rows)


def test_findings_are_the_same_compiled_and_not() -> None:
    rows = [classifier.classify(SAMPLE, compiled=how).rows("findings") for how in (False, True)]
    assert rows[0] == rows[1]


def test_a_capture_without_packets_has_no_finding(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    rows = classifier.classify(empty).rows("findings")
    assert [row for row in rows if row["status"] == "fired"] == []
