"""What the library raises.

    ClassifierError
    ├── CaptureError            the input cannot be read at all (exit code 3)
    │   └── NotACaptureError    it was read, and it is no capture: says what it looks like instead
    └── SignatureError          a signature file is wrong: names file, key, expected, found (exit code 2)

What a capture *contains* never raises: damage becomes a `Problem` of the capture (`classifier.capture`).
"""

from __future__ import annotations


class ClassifierError(Exception):
    """Base of everything this package raises on purpose."""


class CaptureError(ClassifierError):
    """The input could not be read: missing, no permission, a directory without captures."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


class NotACaptureError(CaptureError):
    """The input was read and is not a capture in any format we know."""


class SignatureError(ClassifierError):
    """A signature file does not hold what it must.

    `key` is the dotted place inside the file, `expected` and `found` say what is wrong there.
    """

    def __init__(self, path: str, key: str, expected: str, found: str) -> None:
        super().__init__(f"{path}: {key}: expected {expected}, found {found}")
        self.path = path
        self.key = key
        self.expected = expected
        self.found = found
