"""Seeded data of any size, one module for each kind: the same rows every time, with the right answer for them."""

from __future__ import annotations

__all__: list[str] = []
