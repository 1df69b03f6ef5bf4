"""The truth of a built site: sums over the labels its packets were built with. Out: a JSON-ready dict."""

from __future__ import annotations

import ipaddress
import json
from collections import defaultdict
from dataclasses import asdict

from .files import kept, ordered
from .site import Site

PRODUCTS = ("digifort", "digital_sentry")


def truth_of(site: Site) -> dict[str, object]:
    """What is in the capture: totals, components, hosts' roles, groups, learned endpoints, candidates, RTP, flows."""
    records = ordered(site)
    components: dict[str, dict[str, object]] = {}
    for name in sorted({record.component for record in records}):
        own = [record for record in records if record.component == name]
        flows = [flow for flow in site.flows if flow.component == name]
        row: dict[str, object] = {
            "packets": len(own),
            "wire_bytes": sum(len(record.frame) for record in own),
            "flows": len(flows),
        }
        if name.split(".")[0] in PRODUCTS:
            row["grades"] = sorted({flow.grade for flow in flows})
            row["grades_with_content"] = sorted({flow.content_grade for flow in flows})
            row["rests_on"] = sorted({ground for flow in flows for ground in flow.rests_on})
        components[name] = row
    numbers = {id(flow): number for number, flow in enumerate(flows_in_order(site))}
    return {
        "capture": site.name,
        "seed": site.seed,
        "totals": {
            "packets": len(records),
            "wire_bytes": sum(len(record.frame) for record in records),
            "captured_bytes": sum(len(kept(site, record)) for record in records),
            "flows": len(site.flows),
            "first_ns": records[0].ts_ns,
            "last_ns": records[-1].ts_ns,
        },
        "components": components,
        "hosts": {
            host.ip: {"name": host.name, "roles": list(host.roles), "content_roles": list(host.content_roles)}
            for host in sorted(site.hosts.values(), key=lambda host: ipaddress.ip_address(host.ip))
        },
        "multicast": groups_of(site),
        "queriers": site.queriers,
        "learned": site.learned,
        "rtp": site.streams,
        "flows": [
            {"flow_id": numbers[id(flow)], **{k: v for k, v in asdict(flow).items() if v not in ("", (), None)}}
            for flow in flows_in_order(site)
        ],
    }


def flows_in_order(site: Site) -> list[object]:
    """The flows by the time of their first packet."""
    first: dict[int, int] = {}
    for number, record in enumerate(ordered(site)):
        if record.flow is not None:
            first.setdefault(id(record.flow), number)
    return sorted(site.flows, key=lambda flow: first[id(flow)])


def groups_of(site: Site) -> list[dict[str, object]]:
    """UDP sent to groups, by group and port, with the hosts that joined (and may have left again)."""
    rows: dict[tuple[str, int], dict[str, object]] = {}
    senders: dict[tuple[str, int], set[str]] = defaultdict(set)
    for flow in site.flows:
        if flow.protocol != "udp" or not ipaddress.ip_address(flow.resp).is_multicast:
            continue
        key = (flow.resp, flow.resp_port)
        row = rows.setdefault(key, {"component": flow.component, "packets": 0, "wire_bytes": 0})
        row["packets"] += flow.orig_packets  # type: ignore[operator]
        row["wire_bytes"] += flow.orig_wire_bytes  # type: ignore[operator]
        senders[key].add(flow.orig)
    joined = {
        group: sorted({m.host for m in site.memberships if m.group == group and m.kind == "join"}, key=_by_number)
        for group, _port in rows
    }
    return [
        {"group": key[0], "port": key[1], "senders": sorted(senders[key], key=_by_number), "members": joined[key[0]]}
        | rows[key]
        for key in sorted(rows)
    ]


def _by_number(address: str) -> tuple[int, int]:
    number = ipaddress.ip_address(address)
    return number.version, int(number)


def truth_text(site: Site) -> str:
    """The truth as the text of its file."""
    return json.dumps(truth_of(site), indent=1) + "\n"
