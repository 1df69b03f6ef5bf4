"""The reference pages say what the program does; every link and file that the pages name exists."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))

import generate  # noqa: E402

PAGES = [
    path
    for pattern in ("*.md", "docs/*.md", "captures/*.md", "signatures/*.md", "benchmarks/*.md")
    for path in sorted(ROOT.glob(pattern))
]


@pytest.mark.parametrize("name", sorted(generate.PAGES))
def test_reference_pages_are_up_to_date(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert page == generate.PAGES[name](), "run python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_option_in_the_readme_exists() -> None:
    """`classify` lines in the README use options that the command has."""
    known = {
        name
        for _, command in generate.commands(generate.cli.classify, "classify")
        for p in command.params
        for name in p.opts
    }
    lines = [
        line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("classify")
    ]
    assert lines
    for line in lines:
        used = set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", line.split("#")[0]))
        assert used <= known, line


def test_every_module_of_the_guide_exists() -> None:
    guide = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for name in set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*(?:\.py|/))`", guide)):
        found = (ROOT / "classifier" / name).exists() or (ROOT / name).exists()
        assert found, f"docs/architecture.md names {name}"
