"""The classifier's report of every sample capture against its truth: components, flows, groups, roles, candidates."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
NAMES = ("digifort_site", "digital_sentry_site", "neighbours", "recorded_site")
PRODUCTS = ("digifort", "digital_sentry")
ORDER = ("", "probable", "confirmed")


@lru_cache
def truth_of(name: str) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((CAPTURES / "truth" / f"{name}.json").read_text(encoding="utf-8"))
    return truth


@lru_cache
def report_of(name: str) -> Any:
    from classifier import classify

    return classify(CAPTURES / truth_of(name)["capture"])


@lru_cache
def document_of(name: str) -> dict[str, Any]:
    document: dict[str, Any] = report_of(name).to_dict(sections=("flows",))
    return document


Ends = tuple[str, tuple[tuple[str, int], tuple[str, int]]]


def ends(flow: dict[str, Any]) -> Ends:
    """The five-tuple without direction, of a flow of the truth or of the report."""
    orig, resp = (flow.get(f"{side}_address") or flow[side] for side in ("orig", "resp"))
    first, second = sorted([(orig, flow["orig_port"]), (resp, flow["resp_port"])])
    return flow["protocol"], (first, second)


@pytest.mark.parametrize("name", NAMES)
def test_totals(name: str) -> None:
    expected, got = truth_of(name)["totals"], document_of(name)["totals"]
    assert {key: got[key] for key in expected} == expected


@pytest.mark.parametrize("name", NAMES)
def test_components_have_exactly_their_packets_bytes_and_flows(name: str) -> None:
    measures = ("packets", "wire_bytes", "flows")
    expected = {id: tuple(row[m] for m in measures) for id, row in truth_of(name)["components"].items()}
    got = {row["id"]: tuple(row[m] for m in measures) for row in document_of(name)["components"]}
    assert got == expected


@pytest.mark.parametrize("name", NAMES)
def test_grades_are_at_least_what_ports_give_and_at_most_what_payloads_prove(name: str) -> None:
    for row in document_of(name)["components"]:
        if row["product"] not in PRODUCTS:
            continue
        truth = truth_of(name)["components"][row["id"]]
        given = {grade for grade, sums in row["grades"].items() if sums["flows"]}
        lowest = min(map(ORDER.index, truth["grades"]))
        highest = max(map(ORDER.index, truth["grades_with_content"]))
        assert given, row["id"]
        assert all(lowest <= ORDER.index(grade) <= highest for grade in given), (row["id"], given)


@pytest.mark.parametrize("name", NAMES[:3])
def test_every_flow_is_labelled_as_it_was_built(name: str) -> None:
    def built(flow: dict[str, Any]) -> tuple[Any, ...]:
        return (
            ends(flow),
            flow["component"],
            flow.get("encapsulation", ""),
            flow.get("vlan"),
            flow.get("tcp_state", ""),
            flow["orig_packets"] + flow["resp_packets"],
            flow["orig_wire_bytes"] + flow["resp_wire_bytes"],
            flow["orig_payload_bytes"] + flow["resp_payload_bytes"] if flow["protocol"] in ("tcp", "udp") else None,
        )

    got = sorted((built(flow) for flow in document_of(name)["flows"]), key=repr)
    expected = sorted((built(flow) for flow in truth_of(name)["flows"]), key=repr)
    assert got == expected


@pytest.mark.parametrize("name", NAMES[:3])
def test_tcp_originators_are_who_sent_the_syn(name: str) -> None:
    for flow in document_of(name)["flows"]:
        if flow["protocol"] != "tcp":
            continue
        sides = {
            (truth["orig"], truth["orig_port"])
            for truth in truth_of(name)["flows"]
            if truth["protocol"] == "tcp" and ends(truth) == ends(flow)
        }
        assert sides == {(flow["orig_address"], flow["orig_port"])}


@pytest.mark.parametrize("name", NAMES)
def test_groups_have_their_senders_and_members(name: str) -> None:
    got = {
        (row["group"], row["port"]): (row["senders"], row["members"], row["packets"], row["wire_bytes"])
        for row in document_of(name)["multicast"]
    }
    for row in truth_of(name)["multicast"]:
        key = (row["group"], row["port"])
        senders, members, packets, wire_bytes = got[key]
        assert (set(senders), packets, wire_bytes) == (set(row["senders"]), row["packets"], row["wire_bytes"]), key
        if row["members"]:
            assert set(members) == set(row["members"]), key


@pytest.mark.parametrize("name", NAMES)
def test_hosts_have_their_roles_and_no_role_of_a_product_beside(name: str) -> None:
    words = ("Digifort", "Digital Sentry", "ControlPoint", "Pelco")
    hosts = {row["address"]: row["roles"] for row in document_of(name)["hosts"]}
    for address, row in truth_of(name)["hosts"].items():
        if address not in hosts:  # speaks only inside somebody else's tunnel, or carries one
            assert not row["roles"]
            continue
        assert set(row["roles"]) <= set(hosts[address]), (address, row["name"], hosts[address])
        if not any(word in role for role in row["roles"] for word in words):
            assert not [role for role in hosts[address] if any(word in role for word in words)], address


@pytest.mark.parametrize("name", ["digital_sentry_site", "recorded_site"])
def test_learned_endpoints(name: str) -> None:
    got = document_of(name)["learned"]
    for row in truth_of(name)["learned"]:
        assert row in got


def test_neighbours_own_nothing_of_a_product() -> None:
    document = document_of("neighbours")
    assert not [row for row in document["components"] if row["product"] in PRODUCTS]
    assert not [host for host in document["hosts"] if host["products"]]


@pytest.mark.parametrize("name", NAMES[:3])
def test_candidates_are_only_what_ports_may_suggest_wrongly(name: str) -> None:
    document = document_of(name)
    truth: dict[Ends, set[str]] = {}
    for flow in truth_of(name)["flows"]:
        truth.setdefault(ends(flow), set()).update(flow.get("candidates", ()))
    flows = {flow["flow_id"]: ends(flow) for flow in document["flows"]}
    named: dict[Ends, set[str]] = {}
    for row in document["candidates"]:
        named.setdefault(flows[row["flow_id"]], set()).add(row["component"])
    too_much = {key: names - truth[key] for key, names in named.items() if names - truth[key]}
    assert not too_much
    assert named, "generic ports without support are listed with the reason"


@pytest.mark.parametrize("name", NAMES[:3])
def test_failed_connections_are_candidates_not_rows(name: str) -> None:
    failed = [flow for flow in truth_of(name)["flows"] if flow.get("tcp_state") in ("attempt", "refused")]
    document = document_of(name)
    for truth in failed:
        (flow,) = (flow for flow in document["flows"] if ends(flow) == ends(truth))
        assert flow["component"] == "unclassified.tcp"
        names = {row["component"] for row in document["candidates"] if row["flow_id"] == flow["flow_id"]}
        assert set(truth.get("candidates", ())) <= names
