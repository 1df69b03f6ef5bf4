"""`classify signatures list|show|check`."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifier import cli
from classifier.matching import load_signatures

OWN = """
[product]
id = "acme"
name = "Acme\\u001b[31m Recorder"

[[signature]]
id = "acme.video"
name = "Acme video"
transport = "tcp"
ports = [9999]
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    return path


def test_list_has_every_component_on_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    known = load_signatures()
    assert cli.main(["signatures", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for item in known.signatures:
        line = next(line for line in lines if line.split()[:1] == [item.id])
        assert item.where() in line
    assert "Digifort" in lines
    assert "Digital Sentry" in lines
    assert not any("other." in line for line in lines)
    assert cli.main(["signatures"]) == 0
    assert capsys.readouterr().out.splitlines() == lines


def test_list_services(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["signatures", "list", "--services"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {item.component} " in shown for item in load_signatures().services)


def test_show_has_the_sentences_a_component_stands_on(capsys: pytest.CaptureFixture[str]) -> None:
    for item in load_signatures().signatures:
        assert cli.main(["signatures", "show", item.id]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert shown.startswith(f"{item.id}: {item.name}")
        for source in item.sources:
            assert " ".join(source.quote.split()) in shown


def test_show_says_what_a_port_alone_is_worth(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["signatures", "show", "digifort.web"])
    assert "not enough" in capsys.readouterr().out
    cli.main(["signatures", "show", "digifort.server"])
    assert "port alone  probable" in capsys.readouterr().out


def test_show_a_service(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["signatures", "show", "other.dns"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("other.dns: DNS")
    assert "53" in shown


@pytest.mark.parametrize(("word", "near"), [("web", "digifort.web"), ("digifort.sever", "digifort.server")])
def test_an_unknown_id_is_exit_2_with_what_is_near(word: str, near: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["signatures", "show", word]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"did you mean {near}" in shown.err


def test_a_users_file_adds_to_the_list_and_is_escaped(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["signatures", "list", "--signatures", str(own)]) == 0
    shown = capsys.readouterr().out
    assert "acme.video" in shown
    assert "tcp 9999" in shown
    assert "\x1b" not in shown
    assert "\\x1b[31m Recorder" in shown
    assert cli.main(["signatures", "show", "acme.video", "--signatures", str(own)]) == 0
    assert str(own) in capsys.readouterr().out


def test_check_says_what_a_file_adds(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["signatures", "check", str(own)]) == 0
    assert capsys.readouterr().out == f"{own}: right; product acme, 1 component\n"


def test_check_names_the_place_of_a_mistake_and_goes_on(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(OWN.replace("9999", '"86OO"'), encoding="utf-8")
    assert cli.main(["signatures", "check", str(wrong), str(tmp_path / "none.toml"), str(own)]) == 2
    shown = capsys.readouterr()
    assert shown.out.startswith(f"{own}: right")
    first, second = shown.err.splitlines()
    assert first.startswith(f"classify: {wrong}: ")
    assert "ports" in first
    assert "expected" in first
    assert "86OO" in first
    assert "none.toml" in second


def test_check_says_what_an_overlay_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlay = tmp_path / "site.toml"
    overlay.write_text('[[signature]]\nid = "digifort.server"\nports = [9600]\n', encoding="utf-8")
    assert cli.main(["signatures", "check", str(overlay)]) == 0
    assert "changes digifort.server (ports)" in capsys.readouterr().out


def test_a_wrong_file_beside_list_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[", encoding="utf-8")
    assert cli.main(["signatures", "list", "--signatures", str(wrong)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"classify: {wrong}: ")
    assert len(shown.err.splitlines()) == 1
