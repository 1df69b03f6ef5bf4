"""The command's contract: exit codes, what goes to stdout and what to stderr, one sentence per trouble."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fake_report import capture, component, full_site, neighbours_only, problem

from classifier import cli
from classifier.columns import TABLES
from classifier.errors import CaptureError, NotACaptureError, SignatureError
from classifier.render import FORMATS


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in for the engine: `engine.answer` is returned, or raised."""
    module = ModuleType("classifier.engine")
    module.answer = neighbours_only()  # type: ignore[attr-defined]
    module.calls = []  # type: ignore[attr-defined]

    def classify(source: Sequence[str], **options: Any) -> Any:
        module.calls.append((list(source), options))
        answer = module.answer
        if callable(answer):
            answer = answer(list(source))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    module.classify = classify  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "classifier.engine", module)
    import classifier

    monkeypatch.setattr(classifier, "engine", module, raising=False)
    return module


def finding(severity: str, status: str = "fired") -> dict[str, Any]:
    return {"code": "NET-X", "severity": severity, "title": "t", "summary": "", "remedy": "", "display_filter": "",
            "flow_ids": [], "first_record": 1, "source": "", "status": status, "skipped_because": ""}  # fmt: skip


def test_a_report_is_exit_0_and_on_stdout_only(engine: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["a.pcap"]) == 0
    shown = capsys.readouterr()
    assert "No Digifort" in shown.out
    assert shown.err == ""
    assert engine.calls[0][0] == ["a.pcap"]


@pytest.mark.parametrize(
    ("fail_on", "severity", "status", "code"),
    [
        (None, "error", "fired", 0), ("error", "error", "fired", 1), ("error", "warning", "fired", 0),
        ("warning", "warning", "fired", 1), ("warning", "error", "fired", 1), ("warning", "info", "fired", 0),
        ("warning", "error", "skipped", 0),
    ],
)  # fmt: skip
def test_findings_change_the_exit_code_only_when_asked(
    engine: Any, fail_on: str | None, severity: str, status: str, code: int
) -> None:
    engine.answer = neighbours_only(findings=[finding(severity, status)])
    assert cli.main(["a.pcap", *(["--fail-on", fail_on] if fail_on else [])]) == code


def test_damage_is_exit_4_and_named(engine: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engine.answer = full_site()
    assert cli.main(["site.pcapng"]) == 4
    assert "the file ends inside this record" in capsys.readouterr().out
    assert cli.main(["site.pcapng", "--section", "hosts"]) == 4
    shown = capsys.readouterr()
    assert "the file ends" not in shown.out
    assert shown.err == "classify: site.pcapng: record 1204333, byte 987654321: the file ends inside this record\n"
    assert cli.main(["site.pcapng", "--section", "hosts", "--quiet"]) == 4
    assert capsys.readouterr().err == ""


def test_a_finding_asked_for_goes_before_damage(engine: Any) -> None:
    engine.answer = full_site(findings=[finding("error")])
    assert cli.main(["a.pcap", "--fail-on", "error"]) == 1


def test_an_unreadable_file_is_exit_3_and_one_sentence(engine: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engine.answer = NotACaptureError("a.txt", "this is text, not a capture")
    assert cli.main(["a.txt"]) == 3
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "classify: a.txt: this is text, not a capture\n")


def test_standard_input_is_named_in_words(
    engine: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    engine.answer = NotACaptureError("-", "is empty, not a capture")
    assert cli.main(["-"]) == 3
    assert capsys.readouterr().err == "classify: standard input: is empty, not a capture\n"


def test_one_bad_file_does_not_stop_the_rest(engine: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(files: list[str]) -> object:
        if "bad.pcap" in files:
            return CaptureError("bad.pcap", "no such file")
        return neighbours_only(captures=[capture(name) for name in files])

    engine.answer = answer
    assert cli.main(["a.pcap", "bad.pcap", "b.pcap"]) == 3
    shown = capsys.readouterr()
    assert shown.err == "classify: bad.pcap: no such file\n"
    assert "2 captures: a.pcap, b.pcap" in shown.out


def test_bad_files_that_the_engine_passed_over_are_named(engine: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engine.answer = neighbours_only()
    engine.answer.unreadable = [CaptureError("bad.pcap", "no permission")]
    assert cli.main(["a.pcap", "bad.pcap"]) == 3
    shown = capsys.readouterr()
    assert shown.err == "classify: bad.pcap: no permission\n"
    assert "PROBLEMS      bad.pcap: no permission" in shown.out


def test_all_files_bad_names_each(engine: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engine.answer = lambda files: CaptureError(files[0], "no such file")
    assert cli.main(["a.pcap", "b.pcap"]) == 3
    assert capsys.readouterr().err.splitlines() == ["classify: a.pcap: no such file", "classify: b.pcap: no such file"]


def test_a_file_inside_a_folder_that_cannot_be_read_ends_it(engine: Any) -> None:
    engine.answer = CaptureError("folder/x.pcap", "no permission")
    assert cli.main(["folder", "other"]) == 3
    assert len(engine.calls) == 1


def test_a_signature_file_with_a_mistake_is_exit_2(
    engine: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.toml"
    path.write_text("")
    engine.answer = SignatureError(str(path), "signature.0.port", "a number from 1 to 65535", "'86OO'")
    assert cli.main(["a.pcap", "--signatures", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"classify: {path}: signature.0.port: expected a number from 1 to 65535, found '86OO'\n"
    )
    assert list(engine.calls[0][1]["signatures"]) == [str(path)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no FILE given"),
        (["a.pcap", "--nosuch"], "--nosuch"),
        (["a.pcap", "--format", "xml"], "xml"),
        (["a.pcap", "--section", "nosuch"], "nosuch"),
        (["a.pcap", "-o", "out.xyz"], "cannot tell the form"),
        (["a.pcap", "-o", "no/such/folder/out.json"], "no folder"),
        (["a.pcap", "--format", "csv", "--section", "hosts", "--section", "flows"], "csv holds one table"),
        (["a.pcap", "--signatures", "no-such.toml"], "no-such.toml"),
        (["-", "-"], "only once"),
        (["completion", "tcsh"], "tcsh"),
        (["signatures", "nosuch"], "nosuch"),
    ],
)
def test_wrong_usage_is_exit_2_and_one_sentence(
    engine: Any, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert words in shown.err
    assert len(shown.err.splitlines()) <= 2
    assert not engine.calls


def test_the_capture_is_never_overwritten(engine: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(b"precious")
    link = tmp_path / "link.json"
    link.symlink_to(path)
    assert cli.main([str(path), "--format", "json", "-o", str(path)]) == 2
    assert cli.main([str(path), "-o", str(link)]) == 2
    assert path.read_bytes() == b"precious"
    assert "is the capture itself" in capsys.readouterr().err


def test_standard_input_from_a_terminal_is_explained(
    engine: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", terminal)
    assert cli.main(["-"]) == 2
    assert "tcpdump" in capsys.readouterr().err


def test_an_unexpected_error_is_one_sentence(
    engine: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.answer = ZeroDivisionError("a\x1b[31mb")
    assert cli.main(["a.pcap"]) == 70
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) == 1
    assert "ZeroDivisionError" in shown
    assert "CLASSIFIER_TRACEBACK=1" in shown
    assert "\x1b" not in shown
    monkeypatch.setenv("CLASSIFIER_TRACEBACK", "1")
    assert cli.main(["a.pcap"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_before_reading_is_quiet(engine: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engine.answer = KeyboardInterrupt()
    assert cli.main(["a.pcap"]) == 130
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_while_reading_prints_the_report(engine: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engine.answer = full_site(
        captures=[capture(complete=False, problems=[problem("interrupted", 0, 0, "interrupted")])]
    )
    assert cli.main(["a.pcap"]) == 130
    assert "confirmed" in capsys.readouterr().out


def test_sections_are_those_of_the_tables() -> None:
    assert set(cli.SECTIONS) == set(TABLES)


def test_formats_are_those_of_the_renderers() -> None:
    assert set(cli.FORMATS) == set(FORMATS)
    assert {suffix: known.name for known in FORMATS.values() for suffix in known.suffixes} == cli.SUFFIXES


def test_section_shows_whole_tables(engine: Any, capsys: pytest.CaptureFixture[str]) -> None:
    engine.answer = full_site(captures=None)
    assert cli.main(["a.pcap", "--section", "hosts", "--section", "flows"]) == 0
    shown = capsys.readouterr().out
    assert "HOSTS: 60 rows" in shown
    assert shown.index("HOSTS") < shown.index("FLOWS: 1 row")


def test_text_in_a_file_has_no_colour(engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    path = tmp_path / "out.txt"
    assert cli.main(["a.pcap", "-o", str(path)]) == 0
    assert "No Digifort" in path.read_text(encoding="utf-8")
    assert "\x1b" not in path.read_text(encoding="utf-8")


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch, run: Callable[[], int], encoding: str = "utf-8") -> str:
    stream = Terminal(io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    run()
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def test_colours_only_on_a_terminal_that_wants_them(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.answer = full_site()
    for name in ("NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[" in on_terminal(monkeypatch, lambda: cli.main(["a.pcap"]))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in on_terminal(monkeypatch, lambda: cli.main(["a.pcap"]))
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b[" not in on_terminal(monkeypatch, lambda: cli.main(["a.pcap"]))


def test_the_terminal_s_width_is_used(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.answer = full_site()
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "140")
    assert "PACKETS" in on_terminal(monkeypatch, lambda: cli.main(["a.pcap"]))
    monkeypatch.setenv("COLUMNS", "80")
    shown = on_terminal(monkeypatch, lambda: cli.main(["a.pcap"]))
    assert max(map(len, shown.splitlines())) <= 80


def test_a_terminal_without_unicode_does_not_fail(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.answer = full_site(components=[component("digifort.server", "東京 ▁", 1000, confirmed=1000)])
    shown = on_terminal(monkeypatch, lambda: cli.main(["a.pcap"]), "latin-1")
    assert "\\u6771" in shown


def test_help_says_what_a_newcomer_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for word in ("Examples:", "Exit codes:", "tcpdump", "signatures", "completion", "--section", *cli.SECTIONS):
        assert word in shown, word
    for code in (cli.EXIT_FINDING, cli.EXIT_USAGE, cli.EXIT_UNREADABLE, cli.EXIT_DAMAGED, cli.EXIT_INTERRUPTED):
        assert f"\n  {code:<5}" in shown
    assert max(map(len, shown.splitlines())) <= 100
    cli.main(["-h"])
    assert capsys.readouterr().out == shown


def test_every_option_has_a_help_text() -> None:
    def commands(command: Any) -> list[Any]:
        return [command, *(c for sub in getattr(command, "commands", {}).values() for c in commands(sub))]

    for command in commands(cli.classify):
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, (command.name, parameter.name)
        assert command.help, command.name


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("classify ")


def test_a_verb_is_a_file_where_a_file_has_its_name(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["completion", "bash"]) == 0
    assert "_classify_completion" in capsys.readouterr().out
    (tmp_path / "completion").write_bytes(b"")
    assert cli.main(["completion"]) == 0
    assert engine.calls[-1][0] == ["completion"]
    (tmp_path / "signatures").mkdir()  # every checkout has this folder: ./signatures names it
    assert cli.main(["signatures", "--help"]) == 0
    assert "Usage: classify signatures" in capsys.readouterr().out


def complete(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str) -> list[str]:
    words = line.split(" ")
    monkeypatch.setenv("_CLASSIFY_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    assert cli.main([]) == 0
    return capsys.readouterr().out.split()


def test_completion_knows_options_sections_verbs_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "plain,--section" in complete(monkeypatch, capsys, "classify a.pcap --se")
    assert set(complete(monkeypatch, capsys, "classify a.pcap --section ")) == {f"plain,{s}" for s in cli.SECTIONS}
    assert complete(monkeypatch, capsys, "classify sig") == ["plain,signatures"]
    assert "plain,list" in complete(monkeypatch, capsys, "classify signatures ")
    assert complete(monkeypatch, capsys, "classify ") == ["file,"]
    (tmp_path / "signals.pcap").write_bytes(b"")
    assert complete(monkeypatch, capsys, "classify sig") == ["file,sig"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    assert "_CLASSIFY_COMPLETE" in capsys.readouterr().out
