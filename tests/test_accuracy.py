"""Labels on generated sites against the truth of their maker: every kind of site, several seeds."""

from __future__ import annotations

from functools import lru_cache

import pytest

from captures.makers.accuracy import CASES, PRODUCTS, SEEDS, Fault, Row, measure, total
from captures.makers.varied import Options, make_site

BY_NAME = {case.name: case for case in CASES}


@lru_cache
def measured(name: str) -> tuple[dict[str, Row], list[Fault]]:
    """Rows and faults of all seeds of a kind of site."""
    results = [measure(make_site(seed, BY_NAME[name])) for seed in SEEDS]
    return total(rows for rows, _ in results), [fault for _, faults in results for fault in faults]


def faults(name: str, aspect: str) -> list[str]:
    return [fault.text for fault in measured(name)[1] if fault.aspect == aspect]


@pytest.mark.parametrize("name", BY_NAME)
def test_every_packet_of_the_site_is_in_a_flow_of_its_own_five_tuple(name: str) -> None:
    assert faults(name, "counts") == []


@pytest.mark.parametrize("name", BY_NAME)
def test_products_own_what_the_capture_can_tell_and_nothing_else(name: str) -> None:
    assert faults(name, "products") == []
    for component, row in measured(name)[0].items():
        if component.startswith(PRODUCTS):
            assert row.found == row.knowable, component  # recall of packets and of bytes
            assert row.right == row.given, component  # precision


@pytest.mark.parametrize("name", BY_NAME)
def test_no_grade_is_higher_than_its_evidence(name: str) -> None:
    assert faults(name, "grades") == []


@pytest.mark.parametrize("name", BY_NAME)
def test_servers_have_their_roles_and_nobody_else_has_one(name: str) -> None:
    assert faults(name, "roles") == []


@pytest.mark.parametrize("name", BY_NAME)
def test_endpoints_that_only_content_tells_are_learned(name: str) -> None:
    assert faults(name, "learned") == []


@pytest.mark.parametrize("name", BY_NAME)
def test_everything_else_is_what_it_was_built_as(name: str) -> None:
    assert faults(name, "rest") == []


def test_the_kinds_of_sites_are_those_that_were_asked_for() -> None:
    for needed in (
        Options(), Options(content="opaque"), Options(start="midstream"), Options(directions="into"),
        Options(ports="moved"), Options(layout="one_host"), Options(addresses="nat"), Options(decoys="speaking"),
    ):  # fmt: skip
        assert needed in CASES
    assert len({case.name for case in CASES}) == len(CASES)
