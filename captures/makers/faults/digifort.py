"""Scenes of the rules about Digifort that are not about multicast."""

from __future__ import annotations

from .digifort_media import SCENES as MEDIA
from .scene import Scene

SCENES: list[Scene] = [*MEDIA]
