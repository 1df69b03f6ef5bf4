"""Output files that appear whole or not at all.

In: a path. Out: a binary file to write to. Next: `classifier.render`, `classifier.inspect`.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file that takes the name `path` only when the block ends without an exception.

    An existing file keeps its permissions; behind a link, the target is replaced, not the link; a device or a pipe is
    written to as it is. Raises OSError; nothing is left behind then.
    """
    target = Path(path).resolve() if Path(path).is_symlink() else Path(path)
    mode = None
    with contextlib.suppress(FileNotFoundError):
        status = target.stat()
        if not stat.S_ISREG(status.st_mode):
            with target.open("wb") as device:  # a folder raises here
                yield device
            return
        mode = stat.S_IMODE(status.st_mode)
    temporary = target.with_name(f".{os.urandom(6).hex()}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
