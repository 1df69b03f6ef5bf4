"""Scenes of the rules in the family of this name."""

from __future__ import annotations

from .scene import Scene

SCENES: list[Scene] = []
