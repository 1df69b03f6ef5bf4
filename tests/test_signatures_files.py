"""Signature files of the user: products, overlays, and every kind of mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifier.errors import SignatureError
from classifier.matching import SignatureSet, load_signatures
from classifier.matching.model import PortSet

PRODUCT = '[product]\nid = "acme"\nname = "Acme"\n'
GATE = '[[signature]]\nid = "acme.gate"\nname = "Gate"\ntransport = "tcp"\nports = [7000]\n'


def load(folder: Path, *texts: str) -> SignatureSet:
    paths = []
    for number, text in enumerate(texts):
        paths.append(folder / f"own{number}.toml")
        paths[-1].write_text(text, encoding="utf-8")
    return load_signatures(paths)


def test_a_product_needs_four_keys(tmp_path: Path) -> None:
    known = load(tmp_path, PRODUCT + GATE)
    gate = known.get("acme.gate")
    assert gate is not None
    assert (gate.match, gate.alone, gate.other_port, gate.peer_role) == ("responder", "probable", "any", "Acme client")
    assert known.products[-1].name == "Acme"


def test_groups_alone_are_matched_by_address_and_with_ports_by_both(tmp_path: Path) -> None:
    cast = '[[signature]]\nid = "acme.cast"\nname = "Cast"\ntransport = "udp"\ngroups = ["239.9.9.9"]\n'
    both = cast.replace("cast", "both") + "ports = [7000]\n"
    known = load(tmp_path, PRODUCT + cast + both)
    assert [(known.signatures[-2 + n].match, known.signatures[-2 + n].ports.text()) for n in (0, 1)] == [
        ("group", "1-65535"),
        ("group_port", "7000"),
    ]


def test_an_overlay_changes_only_what_it_names_and_says_so(tmp_path: Path) -> None:
    before = load_signatures().get("digifort.server")
    known = load(tmp_path, '[[signature]]\nid = "digifort.server"\nports = [8600, 9600]\n').get("digifort.server")
    assert known is not None
    assert before is not None
    assert known.ports.text() == "8600, 9600"
    assert known.overridden == (("ports", str(tmp_path / "own0.toml")),)
    assert (known.name, known.sources, known.origin) == (before.name, before.sources, "digifort.toml")


def test_a_later_overlay_wins(tmp_path: Path) -> None:
    overlay = '[[signature]]\nid = "digifort.server"\nports = [{}]\n'
    known = load(tmp_path, overlay.format(9600), overlay.format(9700)).get("digifort.server")
    assert known is not None
    assert known.ports.text() == "9700"


def test_an_overlay_may_add_a_component_to_a_known_product(tmp_path: Path) -> None:
    known = load(tmp_path, GATE.replace("acme", "digifort"))
    assert known.get("digifort.gate") is not None
    assert [item.product for item in known.signatures] == sorted(
        (item.product for item in known.signatures), key=["digifort", "digital_sentry"].index
    )


def test_services_can_be_added_and_changed(tmp_path: Path) -> None:
    text = '[[service]]\nid = "own"\nlabel = "Own"\ntcp = [7001]\n[[service]]\nid = "http"\ntcp = [80, 8080, 8081]\n'
    known = load(tmp_path, text)
    assert known.services[-1].component == "other.own"
    http = known.service("other.http")
    assert http is not None
    assert http.tcp == (80, 8080, 8081)


# text, key, what is expected, what is found: parts of the sentence
MISTAKES = [
    # TOML
    ("[product\n", "line 1, column 9", "valid TOML", ""),
    ('[product]\nid = "acme"\nname = Acme\n', "line 3, column 8", "valid TOML", "invalid value"),
    (PRODUCT + PRODUCT, "line 4", "valid TOML", ""),
    (PRODUCT + "a = [1,\n", "line", "valid TOML", ""),
    # structure
    ("", "the file", "[product], [[signature]], [[service]] or [[host]]", "nothing"),
    ("# only a comment\n", "the file", "[[signature]]", "nothing"),
    ("colour = 1\n", "colour", "a known key", 'the unknown key "colour"'),
    ('[prodct]\nid = "acme"\n', "prodct", 'did you mean "product"', 'unknown key "prodct"'),
    ('[signature]\nid = "acme.gate"\n', "signature", "a list of tables: [[signature]]", "a table"),
    ('product = "acme"\n', "product", "a table: [product]", '"acme"'),
    ('[product]\nid = "acme"\n', "product.name", "a value", "no such key"),
    ('[product]\nid = "Acme"\nname = "Acme"\n' + GATE, "product.id", "small letters", '"Acme"'),
    ('[product]\nid = "other"\nname = "Other"\n' + GATE, "product.id", 'not "other"', '"other"'),
    (PRODUCT, "signature", "at least one component of acme", "none"),
    ('[product]\nid = "digifort"\nname = "X"\n' + GATE, "product.id", "not taken", "digifort.toml"),
    # signature keys
    (PRODUCT + GATE + "prots = [1]\n", "signature[acme.gate].prots", 'did you mean "ports"', 'unknown key "prots"'),
    (PRODUCT + "[[signature]]\nports = [1]\n", "signature[1].id", "a value", "no such key"),
    (PRODUCT + GATE.replace("acme.gate", "acme"), "signature[acme].id", "a component id", '"acme"'),
    (PRODUCT + GATE.replace("acme.gate", "acme.Gate"), "signature[acme.Gate].id", "a component id", '"acme.Gate"'),
    (PRODUCT + GATE.replace("acme.gate", "acne.gate"), "signature[acne.gate].id", 'mean "acme"', '"acne.gate"'),
    (GATE.replace("acme", "bolt"), "signature[bolt.gate].id", "a [product] table defines", '"bolt.gate"'),
    (PRODUCT + GATE + GATE, "signature[2].id", "no other signature of the file has", '"acme.gate"'),
    (PRODUCT + GATE.replace('name = "Gate"\n', ""), "signature[acme.gate].name", "a value", "no such key"),
    (PRODUCT + GATE.replace('transport = "tcp"\n', ""), "signature[acme.gate].transport", "a value", "no such key"),
    (PRODUCT + GATE.replace("ports = [7000]\n", ""), "signature[acme.gate].ports", "at least one port", "none"),
    (
        '[[signature]]\nid = "digifort.sever"\nports = [1]\n',
        "[digifort.sever]",
        'mean "digifort.server"',
        "no such key",
    ),
    (
        PRODUCT + GATE.replace('"tcp"', '"tpc"'),
        "signature[acme.gate].transport",
        'tcp, udp (did you mean "tcp"?)',
        '"tpc"',
    ),
    (PRODUCT + GATE.replace('"tcp"', "6"), "signature[acme.gate].transport", "one of tcp, udp", "6"),
    (PRODUCT + GATE.replace('"Gate"', "7"), "signature[acme.gate].name", "a text", "7"),
    (PRODUCT + GATE + 'generic = "yes"\n', "signature[acme.gate].generic", "true or false", '"yes"'),
    (PRODUCT + GATE + "required = true\n", "signature[acme.gate].required", "yes, no, conditional, unstated", "true"),
    (
        PRODUCT + GATE + 'max_grade = "possible"\n',
        "signature[acme.gate].max_grade",
        "probable, confirmed",
        '"possible"',
    ),
    # ports and groups
    (PRODUCT + GATE.replace("[7000]", "7000"), "signature[acme.gate].ports", "a list of ports", "7000"),
    (PRODUCT + GATE.replace("7000", "0"), "signature[acme.gate].ports[1]", "1 to 65535", "0"),
    (PRODUCT + GATE.replace("7000", "1, 65536"), "signature[acme.gate].ports[2]", "1 to 65535", "65536"),
    (PRODUCT + GATE.replace("7000", "7.5"), "signature[acme.gate].ports[1]", "a port", "7.5"),
    (PRODUCT + GATE.replace("7000", "true"), "signature[acme.gate].ports[1]", "a port", "true"),
    (PRODUCT + GATE.replace("7000", '"80-90-100"'), "signature[acme.gate].ports[1]", "a range", '"80-90-100"'),
    (PRODUCT + GATE.replace("7000", '"90-80"'), "signature[acme.gate].ports[1]", "from low to high", '"90-80"'),
    (PRODUCT + GATE.replace("7000", '"80-70000"'), "signature[acme.gate].ports[1]", "65535", '"80-70000"'),
    (PRODUCT + GATE + 'groups = ["10.0.0.1"]\n', "signature[acme.gate].groups[1]", "a multicast address", '"10.0.0.1"'),
    (PRODUCT + GATE + 'groups = ["225.5.10"]\n', "signature[acme.gate].groups[1]", "a multicast address", '"225.5.10"'),
    (PRODUCT + GATE + 'groups = ["225.5.10.1"]\n', "signature[acme.gate].transport", "udp", '"tcp"'),
    (PRODUCT + GATE + 'match = "group"\n', "signature[acme.gate].groups", "group addresses", "none"),
    (PRODUCT + GATE + 'match = "learned"\n', "signature[acme.gate].ports", "no ports", "[7000]"),
    (
        PRODUCT + GATE.replace("tcp", "udp") + 'groups = ["225.5.10.1"]\nmatch = "either"\n',
        "signature[acme.gate].match",
        "group or group_port",
        '"either"',
    ),
    # support, exclusions, services, documents
    (
        PRODUCT + GATE + 'support = [{ end = "listener", holds = ["digifort.sever"] }]\n',
        "signature[acme.gate].support[1].holds",
        'did you mean "digifort.server"',
        '"digifort.sever"',
    ),
    (
        PRODUCT + GATE + 'support = [{ end = "listener", holds = ["acne.*"] }]\n',
        "signature[acme.gate].support[1].holds",
        'did you mean "acme"',
        '"acne.*"',
    ),
    (
        PRODUCT + GATE + 'support = [{ end = "server", holds = ["acme.*"] }]\n',
        "signature[acme.gate].support[1].end",
        "listener, peer, either",
        '"server"',
    ),
    (
        PRODUCT + GATE + 'support = [{ end = "either" }]\n',
        "signature[acme.gate].support[1].holds",
        "a value",
        "no such key",
    ),
    (
        PRODUCT + GATE + 'support = [{ end = "either", holds = ["acme.gate:server"] }]\n',
        "signature[acme.gate].support[1].holds[1]",
        "a role such as",
        '"acme.gate:server"',
    ),
    (PRODUCT + GATE + "support = [1]\n", "signature[acme.gate].support[1]", "a table such as", "1"),
    (
        PRODUCT + GATE + "excludes = [{ ports = [1] }]\n",
        "signature[acme.gate].excludes[1].reason",
        "a value",
        "no such key",
    ),
    (
        PRODUCT + GATE + 'excludes = [{ ports = ["9-1"], reason = "x" }]\n',
        "signature[acme.gate].excludes[1].ports[1]",
        "from low to high",
        '"9-1"',
    ),
    (PRODUCT + GATE + 'otherwise = "mysq"\n', "signature[acme.gate].otherwise", 'did you mean "mysql"', '"mysq"'),
    (PRODUCT + GATE + 'other_services = ["sdp"]\n', "signature[acme.gate].other_services", "a service", '"sdp"'),
    (
        PRODUCT + GATE + 'sources = [{ document = "manual", quote = "x" }]\n',
        "signature[acme.gate].sources[1].document",
        "[documents.NAME]",
        '"manual"',
    ),
    (PRODUCT + '[documents.manual]\nurl = "x"\n' + GATE, "documents.manual.title", "a value", "no such key"),
    # services
    ('[[service]]\nid = "own"\n', "service[own].label", "a value", "no such key"),
    ('[[service]]\nid = "own"\nlabel = "Own"\n', "service[own].tcp", "at least one port", "none"),
    (
        '[[service]]\nid = "own"\nlabel = "Own"\ntcp = [80]\n',
        "service[own].tcp",
        "no other service has",
        "80, which is http's",
    ),
    ('[[service]]\nid = "Own"\nlabel = "Own"\ntcp = [81]\n', "service[Own].id", "a service id", '"Own"'),
    ('[[service]]\nid = "own"\nlabel = "Own"\ntcp = [0]\n', "service[own].tcp[1]", "1 to 65535", "0"),
    ('[[service]]\nid = "own"\nlabel = "Own"\ntcp = ["80-90"]\n', "service[own].tcp[1]", "a port", '"80-90"'),
]


@pytest.mark.parametrize(("text", "key", "expected", "found"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_named_with_file_key_expected_and_found(
    tmp_path: Path, text: str, key: str, expected: str, found: str
) -> None:
    with pytest.raises(SignatureError) as caught:
        load(tmp_path, text)
    error = caught.value
    assert error.path == str(tmp_path / "own0.toml")
    assert key in error.key
    assert expected in error.expected
    assert found in error.found
    sentence = str(error)
    assert sentence == f"{error.path}: {error.key}: expected {error.expected}, found {error.found}"
    assert sentence.isprintable()


def test_the_first_mistake_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SignatureError) as caught:
        load(tmp_path, PRODUCT + GATE + "a = 1\n" + GATE.replace("gate", "late") + "b = 1\n")
    assert caught.value.key == "signature[acme.gate].a"


def test_a_mistake_in_an_overlay_names_the_overlays_file(tmp_path: Path) -> None:
    with pytest.raises(SignatureError) as caught:
        load(tmp_path, '[[signature]]\nid = "digifort.server"\nports = ["9-1"]\n')
    assert caught.value.path == str(tmp_path / "own0.toml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="No such file"):
        load_signatures([tmp_path / "none.toml"])
    with pytest.raises(SignatureError, match="directory"):
        load_signatures([tmp_path])


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b"\xd4\xc3\xb2\xa1\x02\x00")
    with pytest.raises(SignatureError, match="expected UTF-8 text, found byte 0xd4"):
        load_signatures([path])


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b"#" * (5 << 20))
    with pytest.raises(SignatureError, match="at most 4 MiB"):
        load_signatures([path])


def test_a_file_nested_too_deeply(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="expected valid TOML"):
        load(tmp_path, "a = " + "[" * 100_000)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (PRODUCT + GATE).encode())
    assert load_signatures([path]).get("acme.gate") is not None


def test_found_text_is_escaped_and_cut(tmp_path: Path) -> None:
    with pytest.raises(SignatureError) as caught:
        load(tmp_path, PRODUCT + GATE.replace('"tcp"', '"\\u001b[31m' + "x" * 500 + '"'))
    assert caught.value.found.isprintable()
    assert len(caught.value.found) < 80


def test_built_in_files_need_no_json_schema() -> None:
    """jsonschema is slow to import: only a file of the user makes it load."""
    import subprocess
    import sys

    code = "import sys, classifier.matching as m; m.load_signatures(); sys.exit('jsonschema' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent).returncode == 0


@pytest.mark.parametrize(
    ("items", "text", "count"),
    [
        ([], "", 0),
        ([80], "80", 1),
        (["3000-5000"], "3000-5000", 2001),
        ([81, 80, "79-80"], "79-81", 3),
        ([1, 65535], "1, 65535", 2),
        (["10-20", 15], "10-20", 11),
    ],
)
def test_port_sets(items: list[int | str], text: str, count: int) -> None:
    ports = PortSet.of(items)
    assert (ports.text(), len(ports), int(ports.mask().sum())) == (text, count, count)
    assert all(port in ports for low, high in ports.ranges for port in (low, high))
    assert 0 not in ports
