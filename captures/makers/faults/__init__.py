"""Captures with one fault each, and look-alikes without it: what every rule of findings is tested with.

`SCENES` of each module (`cap`, `net`, `digifort`, `multicast`, `snooping`, `sentry`) together are `all_scenes()`. A
scene is made from its own numbers, so that the test can name the hosts and figures that the finding must have.
"""

from __future__ import annotations

from importlib import import_module

from .scene import Scene

__all__ = ["Scene", "all_scenes"]

MODULES = ("cap", "net", "digifort", "multicast", "snooping", "sentry")


def all_scenes() -> list[Scene]:
    """Every scene of every family."""
    package = __name__
    return [scene for name in MODULES for scene in import_module(f"{package}.{name}").SCENES]
