"""The built-in signature files: every row of the source documents, with the words it stands on."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from flowtables import built_in
from jsonschema import Draft202012Validator

from classifier.matching import signature_directory
from classifier.matching.loader import BUILT_IN, SCHEMA
from classifier.matching.model import Service, Signature

# component, transport, ports, groups, changeable, required, generic
ROWS = [
    ("digifort.server", "tcp", "8600", (), "yes", "unstated", False),
    ("digifort.http_api", "tcp", "8601", (), "no", "unstated", False),
    ("digifort.web", "tcp", "80", (), "yes", "unstated", True),
    ("digifort.media_input", "udp", "3000-5000", (), "no", "conditional", True),
    ("digifort.announcement", "udp", "8650", ("225.0.0.100",), "no", "unstated", False),
    ("digifort.multicast_media", "udp", "1025-65534", ("225.5.10.1",), "yes", "conditional", False),
    ("digifort.upnp_discovery", "udp", "8660", (), "no", "unstated", True),
    ("digifort.analytics", "tcp", "8610", (), "yes", "unstated", False),
    ("digifort.lpr", "tcp", "8611", (), "yes", "unstated", False),
    ("digifort.rtsp", "tcp", "554", (), "yes", "unstated", True),
    ("digital_sentry.sql", "tcp", "", (), "yes", "yes", True),
    ("digital_sentry.sql_discovery", "udp", "1434", (), "unstated", "yes", True),
    ("digital_sentry.diagnostics", "tcp", "17772", (), "unstated", "no", False),
    ("digital_sentry.video", "tcp", "18772", (), "unstated", "yes", False),
    ("digital_sentry.mobile", "tcp", "443", (), "unstated", "conditional", True),
    ("digital_sentry.audio", "udp", "18778-18799", (), "unstated", "conditional", False),
]

FROM_DOCUMENTS = [row[0] for row in ROWS if row[0] != "digifort.rtsp"]
SIGNATURES = built_in().signatures
by_id = pytest.mark.parametrize("signature", SIGNATURES, ids=lambda signature: signature.id)


def documents() -> dict[str, dict[str, Any]]:
    return {name: tomllib.loads((signature_directory() / name).read_text(encoding="utf-8")) for name in BUILT_IN}


def test_there_is_a_signature_for_every_row_and_no_other() -> None:
    assert [signature.id for signature in SIGNATURES] == [row[0] for row in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_says_what_the_document_says(row: tuple[Any, ...]) -> None:
    known = built_in().get(row[0])
    assert known is not None
    assert (
        known.id,
        known.transport,
        known.ports.text(),
        known.groups,
        known.changeable,
        known.required,
        known.generic,
    ) == row


@by_id
def test_every_field_that_a_reader_needs_is_there(signature: Signature) -> None:
    assert signature.listens
    assert signature.direction
    assert signature.carries
    assert signature.listener_role
    assert signature.peer_role
    assert signature.support or not signature.generic
    fields = next(
        entry
        for document in documents().values()
        for entry in document.get("signature", [])
        if entry["id"] == signature.id
    )
    assert {"id", "name", "transport", "ports", "match", "changeable", "required", "generic"} <= set(fields)


@by_id
def test_a_signature_stands_on_words_of_a_document_or_says_it_does_not(signature: Signature) -> None:
    if signature.id in FROM_DOCUMENTS:
        assert signature.sources
        assert all(source.section and source.quote for source in signature.sources)
    else:
        assert not signature.sources
        assert signature.facts
        assert signature.ours
    # what goes beyond the product's document names another one
    product = built_in().product(signature.product)
    assert product is not None
    assert all(fact.document in product.documents and fact.document != "ports" for fact in signature.facts)


@by_id
def test_what_is_not_said_to_be_changeable_or_required_is_not_invented(signature: Signature) -> None:
    words = " ".join(source.quote for source in signature.sources).casefold()
    if signature.changeable == "no":
        assert "cannot be changed" in words
    if signature.changeable == "yes" and signature.id in FROM_DOCUMENTS:
        assert any(word in words for word in ("can be changed", "by default", "configure sql ports"))
    if signature.required == "no":
        assert "not required" in words


@pytest.mark.skipif("CLASSIFIER_SEEDS" not in os.environ, reason="CLASSIFIER_SEEDS names no folder of source documents")
@by_id
def test_quotes_are_in_the_source_documents(signature: Signature) -> None:
    folder = Path(os.environ["CLASSIFIER_SEEDS"])
    texts = [" ".join(path.read_text(encoding="utf-8").split()) for path in sorted(folder.iterdir())]
    mark = "Digifort Ports and Addresses" if signature.product == "digifort" else "Digital Sentry"
    text = next(text for text in texts if mark in text)
    for source in signature.sources:
        assert " ".join(source.quote.split()) in text


@by_id
def test_quotes_are_short(signature: Signature) -> None:
    assert all(len(source.quote) <= 120 for source in signature.sources)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_files_fit_the_schema(name: str) -> None:
    schema = json.loads((signature_directory() / SCHEMA).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    errors = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(documents()[name])
    ]
    assert errors == []


def test_every_key_of_the_schema_is_explained_in_the_readme() -> None:
    schema = json.loads((signature_directory() / SCHEMA).read_text(encoding="utf-8"))
    readme = (signature_directory() / "README.md").read_text(encoding="utf-8")
    for kind in ("signature", "service"):
        for key in schema["$defs"][kind]["properties"]:
            assert re.search(rf"`{key}`", readme), f"{kind}.{key}"


def test_the_examples_of_the_readme_load(tmp_path: Path) -> None:
    from classifier.matching import load_signatures

    readme = (signature_directory() / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    assert len(examples) >= 3
    for number, example in enumerate(examples):
        path = tmp_path / f"{number}.toml"
        path.write_text(example, encoding="utf-8")
        assert load_signatures([path]) != built_in()


@pytest.mark.parametrize("service", built_in().services, ids=lambda service: service.id)
def test_a_service_has_a_label_and_ports_or_content(service: Service) -> None:
    assert service.label
    assert service.tcp or service.udp or service.content
    assert built_in().name_of(service.component) == service.label
    assert built_in().product_of(service.component) == "other"


def test_the_service_table_is_about_everything_a_site_has() -> None:
    services = built_in().services
    assert 75 <= len(services) <= 120
    ids = {service.id for service in services}
    for port in built_in().signatures[3].excluded_ports().ranges:
        numbers = range(port[0], port[1] + 1)
        assert all(any(number in service.udp for service in services) for number in numbers if number != 5000)
    assert {"mssql", "ssrp", "mssql_dac", "rtp", "rtsp", "ssdp", "http", "https"} <= ids


def test_names_for_people() -> None:
    known = built_in()
    assert known.name_of("digifort.server") == "Digifort Server"
    assert known.name_of("network.arp") == "ARP"
    assert known.name_of("unclassified.tcp") == "unclassified TCP"
    assert known.product_of("digital_sentry.sql") == "digital_sentry"
    assert known.product_of("network.icmp") == "network"
    assert known.get("digifort.nothing") is None
    assert known.service("other.dns") is not None
