"""Signature files: from TOML to a `SignatureSet`.

In: the built-in files of `signature_directory()`, then the user's files in the order given. A later file may add a
product, add a component or service, or change fields of a known signature or service by naming the same id (a moved
port, another media group). Out: `SignatureSet`, or `SignatureError`. Next: `classifier.matching.attribute`.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from classifier.errors import SignatureError
from classifier.evidence.marks import CODES
from classifier.matching.checking import check_schema, closest, place, shown
from classifier.matching.model import (
    Exclusion,
    Fact,
    Hold,
    KnownHost,
    PeerIs,
    PortSet,
    Product,
    Service,
    Signature,
    SignatureSet,
    Source,
    Support,
)
from classifier.matching.site import NO_SITE, Site, host_address

BUILT_IN = ("digifort.toml", "digital_sentry.toml", "common.toml")
SCHEMA = "signature.schema.json"
MAX_FILE_BYTES = 4 << 20

_GROUP_MATCHES = ("group", "group_port")


def signature_directory() -> Path:
    """Where the built-in signature files are: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_signatures"
    return installed if installed.is_dir() else package.parent / "signatures"


def load_signatures(extra: Sequence[str | PathLike[str]] = (), site: Site = NO_SITE) -> SignatureSet:
    """Built-in signatures and services, then the files in `extra`, then what `site` says; raises `SignatureError`."""
    directory = signature_directory()
    builder = _Builder()
    for name in BUILT_IN:
        path = directory / name
        builder.add(_built_in(path), name)
    for item in extra:
        path = Path(fspath(item))
        document = read_document(path)
        check_schema(document, str(path), directory / SCHEMA)
        builder.add(document, str(path))
    for document, origin in site.documents({name: entry.fields for name, entry in builder.signatures.items()}):
        builder.add(document, origin)
    return builder.finish()


@cache
def _built_in(path: Path) -> dict[str, Any]:
    """A document of ours, parsed once per process: of many small captures it would be a quarter of the time."""
    return read_document(path)


def read_document(path: str | PathLike[str]) -> dict[str, Any]:
    """The TOML document of a file; raises `SignatureError` for a file that is missing, no text, or no TOML."""
    shown_path = str(path)
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SignatureError(shown_path, "the file", "a readable TOML file", error.strerror or str(error)) from None
    if len(data) > MAX_FILE_BYTES:
        raise SignatureError(shown_path, "the file", f"at most {MAX_FILE_BYTES >> 20} MiB", "a larger file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SignatureError(shown_path, "the file", "UTF-8 text", f"byte 0x{data[error.start]:02x}") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, where = _toml_error(str(error), text)
        raise SignatureError(shown_path, where, "valid TOML", message) from None
    except RecursionError:
        raise SignatureError(shown_path, "the file", "valid TOML", "lists or tables nested too deeply") from None


def _toml_error(message: str, text: str) -> tuple[str, str]:
    """tomllib's message apart from its place: `("an invalid value", "line 3, column 5")`."""
    match = re.search(r"^(.*?)\s*\(at (?:line (\d+), column (\d+)|end of document)\)$", message, re.DOTALL)
    if match is None:
        return message, "the file"
    problem = match[1][:1].lower() + match[1][1:]
    line = match[2] or str(text.count("\n") + 1)
    return problem, f"line {line}" + (f", column {match[3]}" if match[3] else "")


@dataclass
class _Entry:
    """Raw fields of one id, and where they come from."""

    fields: dict[str, Any]
    origin: str
    place: str
    overridden: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)  # per key: the file that set it last

    def fail(self, key: str, expected: str, found: str) -> SignatureError:
        path = self.places.get(key.partition("[")[0], self.origin)
        return SignatureError(path, f"{self.place}.{key}", expected, found)

    def get(self, key: str, default: Any = None) -> Any:
        return self.fields.get(key, default)


class _Builder:
    """Collects documents, then builds the set: checks that span files come last."""

    def __init__(self) -> None:
        self.products: dict[str, Product] = {}
        self.documents: dict[str, set[str]] = {}
        self.signatures: dict[str, _Entry] = {}
        self.services: dict[str, _Entry] = {}
        self.files: list[str] = []
        self.hosts: list[tuple[str, str, str, str]] = []  # address, component, file, place

    def add(self, document: dict[str, Any], path: str) -> None:
        self.files.append(path)
        self._add_product(document, path)
        self.documents[path] = set(document.get("documents", {}))
        for kind, known in (("signature", self.signatures), ("service", self.services)):
            seen: set[str] = set()
            for number, fields in enumerate(document.get(kind, [])):
                name = fields["id"]
                if name in seen:
                    where = f"{kind}[{number + 1}].id"
                    raise SignatureError(path, where, f"an id that no other {kind} of the file has", shown(name))
                seen.add(name)
                self._add_entry(known, name, fields, path, place(document, [kind, number]))
        for number, host in enumerate(document.get("host", [])):
            where = "the value" if path.startswith("--host ") else f"host[{number + 1}]"
            self.hosts.append((host["address"], host["component"], path, where))

    def _add_product(self, document: dict[str, Any], path: str) -> None:
        fields = document.get("product")
        if fields is None:
            return
        name = fields["id"]
        if name in self.products:
            taken = self.products[name].origin
            expected = f"a product id that is not taken (to change {name}, leave [product] out)"
            raise SignatureError(path, "product.id", expected, f"{shown(name)}, defined in {taken}")
        self.products[name] = Product(
            name, fields["name"], tuple(fields.get("notes", ())), document.get("documents", {}), path
        )

    @staticmethod
    def _add_entry(known: dict[str, _Entry], name: str, fields: dict[str, Any], path: str, where: str) -> None:
        entry = known.get(name)
        if entry is None:
            known[name] = _Entry(dict(fields), path, where, places=dict.fromkeys(fields, path))
            return
        for key, value in fields.items():
            if key != "id":
                entry.fields[key] = value
                entry.overridden[key] = entry.places[key] = path

    def finish(self) -> SignatureSet:
        services = tuple(self._service(name, entry) for name, entry in self.services.items())
        self._check_service_ports(services)
        signatures = tuple(self._signature(name, entry) for name, entry in self.signatures.items())
        by_product: dict[str, list[Signature]] = {name: [] for name in self.products}
        for signature in signatures:
            by_product[signature.product].append(signature)
        for name, product in self.products.items():
            if not by_product[name]:
                raise SignatureError(product.origin, "signature", f"at least one component of {name}", "none")
        ordered = tuple(signature for group in by_product.values() for signature in group)
        hosts = tuple(self._host(*host) for host in self.hosts)
        return SignatureSet(tuple(self.products.values()), ordered, services, tuple(self.files), hosts)

    def _host(self, address: str, component: str, path: str, where: str) -> KnownHost:
        if component not in self.signatures:
            expected = f"a known component{closest(component, self.signatures)}"
            raise SignatureError(
                path, f"{where}.component" if "[" in where else "the component", expected, shown(component)
            )
        key = f"{where}.address" if "[" in where else "the address"
        return KnownHost(host_address(path, key, address), component, path)

    # --- services ---------------------------------------------------------------------------------------------

    def _service(self, name: str, entry: _Entry) -> Service:
        known = [key for key in self.services if key != name]
        for key in ("label",):
            if key not in entry.fields:
                raise entry.fail(key, "a value", f"no such key{closest(name, known)}")
        tcp, udp = tuple(entry.get("tcp", ())), tuple(entry.get("udp", ()))
        content = self._marks(entry, "content")
        if not tcp and not udp and not content:
            raise entry.fail("tcp", "at least one port in tcp or udp, or a mark in content", "none")
        return Service(
            id=name,
            label=entry.get("label"),
            tcp=tcp,
            udp=udp,
            groups=self._groups(entry),
            iana=entry.get("iana", ""),
            needs_role=entry.get("needs_role", False),
            role=entry.get("role", ""),
            content=content,
            content_first=entry.get("content_first", False),
            notes=entry.get("notes", ""),
            origin=entry.origin,
        )

    def _check_service_ports(self, services: tuple[Service, ...]) -> None:
        for transport in ("tcp", "udp"):
            owner: dict[int, str] = {}
            for service in services:
                for port in service.ports(transport):
                    other = owner.setdefault(port, service.id)
                    if other != service.id:
                        entry = self.services[service.id]
                        raise entry.fail(transport, "ports that no other service has", f"{port}, which is {other}'s")

    # --- signatures -------------------------------------------------------------------------------------------

    def _signature(self, name: str, entry: _Entry) -> Signature:
        product = self.products.get(name.partition(".")[0])
        if product is None:
            near = closest(name, self.signatures.keys() - {name}) or closest(name.partition(".")[0], self.products)
            expected = f"a component of a product that a [product] table defines{near}"
            raise SignatureError(entry.origin, f"{entry.place}.id", expected, shown(name))
        for key in ("name", "transport"):
            if key not in entry.fields:
                near = closest(name, self.signatures.keys() - {name})
                raise entry.fail(key, f"a value, for a new component{near}", "no such key")
        groups = self._groups(entry)
        ports = self._ports(entry, "ports", entry.get("ports", ["1-65535"] if groups else []))
        default_match = ("group_port" if "ports" in entry.fields else "group") if groups else "responder"
        match = entry.get("match", default_match)
        self._check_match(entry, match, ports, groups)
        generic = entry.get("generic", False)
        support = self._support(entry)
        if generic and not support:
            support = (Support("listener", (Hold(f"{product.id}.*", "listener"),)),)
        udp = entry.get("transport") == "udp"
        return Signature(
            id=name,
            name=entry.get("name"),
            transport=entry.get("transport"),
            ports=ports,
            groups=groups,
            match=match,
            to_group=entry.get("to_group", False),
            either_initiates=entry.get("either_initiates", False),
            server_is=entry.get("server_is", "listener"),
            listens=entry.get("listens", ""),
            direction=entry.get("direction", ""),
            carries=entry.get("carries", ""),
            listener_role=entry.get("listener_role", entry.get("name")),
            peer_role=entry.get("peer_role", f"{product.name} client"),
            changeable=entry.get("changeable", "unstated"),
            required=entry.get("required", "unstated"),
            generic=generic,
            alone="never" if generic else entry.get("alone", "probable"),
            other_port=entry.get("other_port", "unknown" if udp else "any"),
            other_services=self._known_services(entry, "other_services", entry.get("other_services", [])),
            otherwise="".join(self._known_services(entry, "otherwise", [entry.get("otherwise", "")])),
            max_grade=entry.get("max_grade", "confirmed"),
            content=self._marks(entry, "content"),
            content_at_port=self._marks(entry, "content_at_port"),
            content_alone=self._marks(entry, "content_alone"),
            contradicted_by=self._marks(entry, "contradicted_by"),
            learned_by=tuple(entry.get("learned_by", ())),
            excludes=self._excludes(entry),
            support=support,
            peer_is=self._peer_is(entry),
            sources=tuple(Source(**source) for source in self._cited(entry, "sources")),
            facts=tuple(Fact(**fact) for fact in self._cited(entry, "facts")),
            ours=tuple(entry.get("ours", ())),
            notes=tuple(entry.get("notes", ())),
            origin=entry.origin,
            overridden=tuple(sorted(entry.overridden.items())),
        )

    @staticmethod
    def _check_match(entry: _Entry, match: str, ports: PortSet, groups: tuple[str, ...]) -> None:
        if groups and entry.get("transport") != "udp":
            raise entry.fail("transport", "udp, for a signature with groups", shown(entry.get("transport")))
        if match in _GROUP_MATCHES and not groups:
            raise entry.fail("groups", f'group addresses, for match = "{match}"', "none")
        if groups and match not in _GROUP_MATCHES:
            raise entry.fail("match", "group or group_port, for a signature with groups", shown(match))
        if match == "learned":
            if ports.ranges:
                raise entry.fail("ports", 'no ports, for match = "learned"', shown(entry.get("ports")))
        elif not ports.ranges:
            raise entry.fail("ports", "at least one port", "none")

    @staticmethod
    def _ports(entry: _Entry, key: str, items: list[int | str]) -> PortSet:
        for number, item in enumerate(items):
            try:
                PortSet.of([item])
            except ValueError:
                expected = 'a port (8600) or a range from low to high ("3000-5000"), 1 to 65535'
                raise entry.fail(f"{key}[{number + 1}]", expected, shown(item)) from None
        return PortSet.of(items)

    @staticmethod
    def _groups(entry: _Entry) -> tuple[str, ...]:
        groups = []
        for number, text in enumerate(entry.get("groups", ())):
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                address = None
            if address is None or not address.is_multicast:
                raise entry.fail(f"groups[{number + 1}]", 'a multicast address, such as "225.5.10.1"', shown(text))
            groups.append(str(address))
        return tuple(dict.fromkeys(groups))

    def _known_services(self, entry: _Entry, key: str, names: list[str]) -> tuple[str, ...]:
        for name in names:
            if name and name not in self.services:
                raise entry.fail(key, f"the id of a service{closest(name, self.services)}", shown(name))
        return tuple(names)

    @staticmethod
    def _marks(entry: _Entry, key: str) -> tuple[str, ...]:
        for number, code in enumerate(entry.get(key, ())):
            if code not in CODES:
                raise entry.fail(f"{key}[{number + 1}]", f"the code of a mark{closest(code, CODES)}", shown(code))
        return tuple(entry.get(key, ()))

    def _excludes(self, entry: _Entry) -> tuple[Exclusion, ...]:
        return tuple(
            Exclusion(
                item["reason"],
                self._ports(entry, f"excludes[{number + 1}].ports", item.get("ports", [])),
                item.get("transport", ""),
            )
            for number, item in enumerate(entry.get("excludes", ()))
        )

    def _support(self, entry: _Entry) -> tuple[Support, ...]:
        return tuple(
            Support(item["end"], self._holds(entry, f"support[{number + 1}].holds", item["holds"]), item.get("who", ""))
            for number, item in enumerate(entry.get("support", ()))
        )

    def _peer_is(self, entry: _Entry) -> PeerIs | None:
        item = entry.get("peer_is")
        if item is None:
            return None
        holds = self._holds(entry, "peer_is.holds", item["holds"])
        return PeerIs(item["role"], holds, self._holds(entry, "peer_is.unless", item.get("unless", [])))

    def _holds(self, entry: _Entry, key: str, texts: list[str]) -> tuple[Hold, ...]:
        holds = []
        for text in texts:
            component, _, end = text.partition(":")
            product, _, part = component.partition(".")
            known = self.products if part == "*" else self.signatures
            name = product if part == "*" else component
            if name not in known:
                raise entry.fail(key, f"a role of a known component{closest(name, known)}", shown(text))
            holds.append(Hold(component, end or "either"))
        return tuple(holds)

    def _cited(self, entry: _Entry, key: str) -> list[dict[str, str]]:
        path = entry.places.get(key, entry.origin)
        items: list[dict[str, str]] = entry.get(key, [])
        for number, item in enumerate(items):
            if item["document"] not in self.documents[path]:
                expected = (
                    f"a document that a [documents.NAME] table defines{closest(item['document'], self.documents[path])}"
                )
                raise entry.fail(f"{key}[{number + 1}].document", expected, shown(item["document"]))
        return items
