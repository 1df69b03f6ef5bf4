"""What a user knows of a site: moved ports, other groups, which host is what.

In: the texts of `--map` and `--host`, or `Site` from Python. Out: overlay documents, as a signature file would hold
them (one way for both). Next: `loader`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from classifier.errors import SignatureError
from classifier.matching.checking import closest, shown

MAP_EXPECTED = "COMPONENT=PORTS/TRANSPORT or COMPONENT=GROUP, such as digifort.server=9600/tcp"
HOST_EXPECTED = "ADDRESS=COMPONENT, such as 10.0.0.5=digifort.server"

_PORTS = re.compile(r"([0-9]{1,5}(?:-[0-9]{1,5})?(?:,[0-9]{1,5}(?:-[0-9]{1,5})?)*)(?:/([a-z]+))?", re.IGNORECASE)


@dataclass(frozen=True)
class Site:
    """Knowledge that no capture has.

    maps: `(component id, where)` pairs, where = `"9600/tcp"`, `"3000-4000/udp"`, `"8600,9600/tcp"` or a group address.
    They replace the component's ports or groups; several of one component add up. hosts: `(address, component id)`
    pairs: that host listens for the component.
    """

    maps: tuple[tuple[str, str], ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, maps: Iterable[str] = (), hosts: Iterable[str] = ()) -> Site:
        """From texts as the options have them; raises SignatureError for a text without `=`."""
        return cls(
            tuple(_pair(text, "--map", MAP_EXPECTED) for text in maps),
            tuple(_pair(text, "--host", HOST_EXPECTED) for text in hosts),
        )

    def documents(self, known: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
        """`(overlay document, who says so)`. `known`: component id to the fields in force. Raises SignatureError."""
        moved: dict[str, dict[str, list[Any]]] = {}
        said: dict[str, list[str]] = {}
        for component, where in self.maps:
            origin = f"--map {component}={where}"
            fields = known.get(component)
            if fields is None:
                raise SignatureError(
                    origin, "the component", f"a known one{closest(component, known)}", shown(component)
                )
            key, values = _where(origin, component, where, fields)
            moved.setdefault(component, {}).setdefault(key, []).extend(values)
            said.setdefault(component, []).append(origin)
        for component, changes in moved.items():
            fields = {"id": component, **{key: list(dict.fromkeys(values)) for key, values in changes.items()}}
            if "ports" in changes and known[component].get("match") == "learned":
                fields["match"] = "responder"
            yield {"signature": [fields]}, " ".join(said[component])
        for address, component in self.hosts:
            yield {"host": [{"address": address, "component": component}]}, f"--host {address}={component}"


NO_SITE = Site()


def _pair(text: str, option: str, expected: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not equals or not left.strip() or not right.strip():
        raise SignatureError(option, "the value", expected, shown(text))
    return left.strip(), right.strip()


def _where(origin: str, component: str, where: str, fields: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The key that a mapping changes, and its values."""
    transport = str(fields.get("transport", ""))
    has_groups = bool(fields.get("groups"))
    match = _PORTS.fullmatch(where)
    if match is not None:
        if match[2] is not None and match[2].lower() != transport:
            raise SignatureError(origin, "the transport", f"{transport}, which {component} uses", shown(match[2]))
        return "ports", [int(item) if item.isdigit() else item for item in match[1].split(",")]
    example = f"ports such as 9600/{transport}" + (", or a group address such as 239.1.2.3" if has_groups else "")
    try:
        address = ipaddress.ip_address(where)
    except ValueError:
        raise SignatureError(origin, "the place", example, shown(where)) from None
    if not address.is_multicast or not has_groups:
        raise SignatureError(origin, "the place", example, shown(where))
    return "groups", [str(address)]


def host_address(origin: str, place: str, text: str) -> str:
    """The address of a known host, as the report writes it; raises SignatureError."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise SignatureError(origin, place, "an IP address such as 10.0.0.5", shown(text)) from None
    if address.is_multicast or address.is_unspecified or getattr(address, "scope_id", None):
        raise SignatureError(origin, place, "the address of one host", shown(text))
    return str(address)
