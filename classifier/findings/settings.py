"""Thresholds of rules that the user has set.

In: `CODE.name=value` as given to `--set`. Out: `Settings`. Next: `findings.examine`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from classifier.findings.catalog import find_rule
from classifier.findings.model import Rule


@dataclass(frozen=True, slots=True)
class Settings:
    """Values by (rule's code, setting's name); what is not set has its default."""

    values: Mapping[tuple[str, str], float] = field(default_factory=dict)

    @classmethod
    def of(cls, words: Iterable[str]) -> Settings:
        """From texts such as `DGF-MEDIA-LOSS.share=0.02`; raises ValueError saying what is wrong."""
        values = {}
        for word in words:
            name, equals, text = word.partition("=")
            code, dot, setting = name.strip().partition(".")
            if not (equals and dot):
                raise ValueError(f"{word!r}: write CODE.setting=number, such as DGF-MEDIA-LOSS.share=0.02")
            known = find_rule(code)
            if known is None:
                raise ValueError(f"{word!r}: there is no rule {code!r} (classify findings list)")
            names = [item.name for item in known.settings]
            if setting not in names:
                has = f"has {', '.join(names)}" if names else "has no settings"
                raise ValueError(f"{word!r}: {known.code} {has}")
            values[known.code, setting] = _number(word, text)
        return cls(values)

    def of_rule(self, rule: Rule, name: str) -> float:
        """The value of a rule's setting."""
        for item in rule.settings:
            if item.name == name:
                return self.values.get((rule.code, name), item.default)
        raise KeyError(f"{rule.code} has no setting {name!r}")


def _number(word: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"{word!r}: {text.strip()!r} is no number from 0 up")
    return value


DEFAULTS = Settings()
