"""Streams and multicast groups as an engineer reads them: at 80 columns, without colour."""

from __future__ import annotations

from typing import Any

from fake_report import START, S, full_site

from classifier.render import text


def section(name: str, rows: list[dict[str, Any]]) -> list[str]:
    return text.render(full_site(**{name: rows}), (name,)).splitlines()  # type: ignore[arg-type]


def group(**changes: Any) -> dict[str, Any]:
    return {**full_site().rows("multicast")[0], **changes}


def test_a_group_says_who_sends_and_who_listens() -> None:
    lines = section("multicast", [group(members=["10.20.2.7", "10.20.2.8"], left=["10.20.2.8"], leaves=1,
                                        first_leave_ns=START + 9 * S, last_leave_ns=START + 9 * S)])  # fmt: skip
    assert lines == [
        "MULTICAST: 1 row",
        "225.5.10.1:1025  digifort.multicast_media, 160 kbit/s mean, 250 kbit/s peak",
        "    from  10.20.0.5 (TTL 1)",
        "    members  10.20.2.7, 10.20.2.8 (left)",
        "    reports  5 joins 08:13:23 to 08:21:43, 1 leave at 08:13:29",
        "    querier  10.20.0.1, IGMPv3",
    ]


def test_a_group_of_several_ports_tells_its_members_once() -> None:
    lines = section("multicast", [group(), group(port=1027)])
    assert sum("members  10.20.2.7" in line for line in lines) == 1
    assert lines[-1] == "    members and queriers as above"


def test_what_is_missing_at_a_group_is_said() -> None:
    nothing = {"joins": 0, "first_join_ns": None, "last_join_ns": None, "queriers": [], "querier_version": ""}
    shown = "\n".join(section("multicast", [group(members=[], **nothing)]))
    assert "nobody reported membership" in shown and "no querier seen" in shown and "joins" not in shown
    joined = section("multicast", [group(packets=0, port=0, senders=[], sender_ttls=[])])
    assert joined[1] == "225.5.10.1  nothing sent to it in this capture, only joined"


def test_many_members_are_wrapped_between_addresses() -> None:
    hosts = [f"2001:db8:10:20::{n}" for n in range(40)]
    lines = section("multicast", [group(members=hosts, group="ff3e::1", senders=hosts)])
    assert max(map(len, lines)) <= 80
    said = " ".join(lines)
    assert all(f"{host}," in said or f"{host} " in said for host in hosts[:-1])
