"""A few records followed through map, partition, sort and reduce, for people who learn or teach how that works."""

from __future__ import annotations

from mrkernel.tour.view import Walkthrough, walkthrough

__all__ = ["Walkthrough", "walkthrough"]
