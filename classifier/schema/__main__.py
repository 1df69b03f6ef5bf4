"""`python -m classifier.schema`: write the checked-in JSON Schema anew."""

from __future__ import annotations

from classifier.schema import SCHEMA_FILE, as_text

SCHEMA_FILE.write_text(as_text(), encoding="ascii")
