"""Does a signature file hold what it must? Errors that name file, key, expected and found.

In: a TOML document as plain data. Out: nothing, or `SignatureError`. The JSON Schema (`signature.schema.json`) is
imported and applied only to files of the user; the built-in ones are checked against it in the tests.
Next: `loader`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classifier.errors import SignatureError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_SHOWN = 60


def shown(value: Any) -> str:
    """A value as the file writes it, short and on one line."""
    if isinstance(value, dict):
        return "a table" if value else "an empty table"
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return "a list of tables"
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def closest(word: str, known: Iterable[str]) -> str:
    """`' (did you mean "ports"?)'` when something known is near, else nothing."""
    near = get_close_matches(word, list(known), 1, 0.6)
    return f' (did you mean "{near[0]}"?)' if near else ""


def place(document: Any, path: Sequence[str | int]) -> str:
    """A path into a document for people: list entries by their `id` where they have one, else by number from 1."""
    text = ""
    here = document
    for step in path:
        if isinstance(step, int):
            entry = here[step] if isinstance(here, list) and step < len(here) else None
            name = entry.get("id") if isinstance(entry, dict) else None
            text += f"[{name}]" if isinstance(name, str) and name.isprintable() else f"[{step + 1}]"
            here = entry
        else:
            text += f".{step}" if text else str(step)
            here = here.get(step) if isinstance(here, dict) else None
    return text or "the file"


def check_schema(document: dict[str, Any], path: str, schema_file: Path) -> None:
    """Raise `SignatureError` for the first thing (in the order of the file) that breaks the schema."""
    from jsonschema import Draft202012Validator

    schema = json.loads(schema_file.read_text(encoding="utf-8"))
    errors = list(Draft202012Validator(schema).iter_errors(document))
    if not errors:
        return
    order = {key: number for number, key in enumerate(document)}

    def position(error: ValidationError) -> tuple[Any, ...]:
        steps = list(error.absolute_path)
        first = order.get(str(steps[0]), -1) if steps else -1
        return (first, [(step if isinstance(step, int) else -1, str(step)) for step in steps[1:]], str(error.validator))

    raise _described(document, path, min(errors, key=position))


def _described(document: dict[str, Any], path: str, error: ValidationError) -> SignatureError:
    steps = list(error.absolute_path)
    schema = error.schema if isinstance(error.schema, dict) else {}
    value: Any = error.instance
    rule: Any = error.validator_value
    if error.validator == "additionalProperties":
        known = list(schema.get("properties", {}))
        unknown = next(key for key in value if key not in known)
        expected = f"a known key{closest(unknown, known)}"
        return SignatureError(path, place(document, [*steps, unknown]), expected, f"the unknown key {shown(unknown)}")
    if error.validator == "required":
        missing = next(key for key in rule if key not in value)
        return SignatureError(path, place(document, [*steps, missing]), "a value", "no such key")
    if error.validator == "minProperties":
        return SignatureError(path, "the file", "[product], [[signature]], [[service]] or [[host]]", "nothing")
    found = shown(value)
    if error.validator == "enum":
        choices = [str(choice) for choice in rule]
        hint = closest(value, choices) if isinstance(value, str) else ""
        expected = f"one of {', '.join(choices)}{hint}"
    else:
        expected = str(schema.get("x-expected") or error.message)
    return SignatureError(path, place(document, steps), expected, found)
