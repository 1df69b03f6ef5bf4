"""All rules.

In: the modules of `findings.rules`, each with a `RULE`. Out: the rules, in the order of families and codes.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from classifier.findings.model import FAMILIES, Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, CAP first."""
    from classifier.findings import rules as package

    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    found: list[Rule] = [import_module(f"{package.__name__}.{name}").RULE for name in names]
    families = list(FAMILIES)
    return tuple(sorted(found, key=lambda rule: (families.index(rule.family), rule.code)))


def find_rule(code: str) -> Rule | None:
    """The rule of a code, in capitals or not; None when there is none."""
    return next((item for item in all_rules() if item.code == code.upper()), None)


def page(code: str) -> str:
    """A rule's page of documentation (Markdown); raises FileNotFoundError when it has none."""
    from importlib.resources import files

    return (files("classifier.findings") / "pages" / f"{code}.md").read_text(encoding="utf-8")
