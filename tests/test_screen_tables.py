"""Whole tables as text: every row, readable columns, every section works."""

from __future__ import annotations

import pytest
from fake_report import full_site

from classifier.columns import TABLES, Column
from classifier.render import text


def test_every_row_is_shown_on_one_line() -> None:
    report = full_site()
    shown = text.render(report, ("hosts",)).splitlines()  # type: ignore[arg-type]
    assert shown[0] == f"HOSTS: {len(report.rows('hosts'))} rows"
    assert len(shown) == 2 + len(report.rows("hosts"))


def test_columns_line_up() -> None:
    lines = text.render(full_site(), ("components",)).splitlines()  # type: ignore[arg-type]
    at = lines[1].index("name")
    assert all(line[at - 1] == " " and line[at] != " " for line in lines[1:])


def test_a_flow_is_readable() -> None:
    shown = text.render(full_site(), ("flows",))  # type: ignore[arg-type]
    for fact in ("10.20.2.7:51000", "10.20.0.5:8600", "digifort.server", "confirmed", "port:tcp/8600", "1.10 MB"):
        assert fact in shown


def test_sections_come_in_the_order_asked_and_empty_ones_say_none() -> None:
    shown = text.render(full_site(), ("streams", "protocols"))  # type: ignore[arg-type]
    assert shown.index("STREAMS: none") < shown.index("PROTOCOLS: 1 row\n")


def sample(column: Column) -> object:
    return {"int": 7, "float": 7.5, "time": 1_714_724_000_000_000_000, "list": ["a", "b"], "map": {}}.get(
        column.kind, f"{column.name}!"
    )


@pytest.mark.parametrize("section", [s for s in TABLES if s != "timeline"])  # a view: test_screen_timeline
def test_every_section_of_the_contract_has_a_text_form(section: str) -> None:
    row = {column.name: sample(column) for column in TABLES[section]}
    shown = text.render(full_site(**{section: [row]}), (section,))  # type: ignore[arg-type]
    count = "0 found, 1 not checked" if section == "findings" else "1 row"
    assert shown.startswith(f"{section.upper()}: {count}\n")
    assert "!" in shown


@pytest.mark.parametrize("section", [s for s in TABLES if s not in ("components", "hosts", "findings", "timeline")])
def test_missing_values_are_blank(section: str) -> None:
    nullable = {"vlan", "first_ns", "last_ns", "first_record", "hint", "instance", "version", "ttl"}
    row = {c.name: None if c.name in nullable else sample(c) for c in TABLES[section]}
    assert "None" not in text.render(full_site(**{section: [row]}), (section,))  # type: ignore[arg-type]


def test_ipv6_endpoints_are_bracketed() -> None:
    from classifier.render.screen_tables import endpoint

    assert endpoint("2001:db8::1", 80) == "[2001:db8::1]:80"
    assert endpoint("2001:db8::1", 0) == "2001:db8::1"
    assert endpoint("192.0.2.1", 80) == "192.0.2.1:80"
