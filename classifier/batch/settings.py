"""What decides a result besides the capture: options, and the program itself.

In: the options of a run. Out: `Settings`, as text for the dataset and for other machines; `program()`, which tells
whether a worker runs the same program; `fingerprint()` of both. Next: `run`, `task`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from classifier import __version__
from classifier.batch.schema import LAYOUT
from classifier.limits import Limits

TIMELINE_BIN = "1s"


@dataclass(frozen=True)
class Settings:
    """Options of a run that change what is written. `signatures`: (file name, SHA-256) of further signature files."""

    signatures: tuple[tuple[str, str], ...] = ()
    maps: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    thresholds: tuple[str, ...] = ()
    max_flows: int = Limits.flows
    follow: bool = True
    bin: str = TIMELINE_BIN

    def text(self) -> str:
        """One line of JSON, the same for the same settings."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of(cls, text: str) -> Settings:
        """The settings that `text` was made from."""
        known = json.loads(text)
        known["signatures"] = tuple((name, digest) for name, digest in known["signatures"])
        return cls(**(known | {key: tuple(known[key]) for key in ("maps", "hosts", "thresholds")}))


def signature_settings(paths: Sequence[str], contents: Sequence[bytes]) -> tuple[tuple[str, str], ...]:
    """Signature files as `Settings` know them: by name and content, wherever they lie."""
    return tuple(
        (Path(path).name, hashlib.sha256(data).hexdigest()) for path, data in zip(paths, contents, strict=True)
    )


@cache
def program() -> str:
    """What must be the same for the same bytes: our sources and signatures, and the library that writes the files."""
    from classifier.matching import signature_directory

    digest = hashlib.sha256()
    package = Path(__file__).resolve().parent.parent
    for folder, pattern in ((package, "*.py"), (signature_directory(), "*.toml")):
        for path in sorted(folder.rglob(pattern)):
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{__version__}+{digest.hexdigest()[:12]} pyarrow {version('pyarrow')} numpy {version('numpy')}"


def fingerprint(settings: Settings) -> str:
    """16 hex digits: a capture's files are made anew when they differ."""
    text = json.dumps([LAYOUT, program(), settings.text()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
