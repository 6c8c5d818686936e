"""The C library's heap, kept from keeping what it no longer needs.

Rules:
    1. Large pieces (a snapshot, a grown table) are mapped apart and go back to the system when they are freed. By
       itself glibc raises the bound of "large" with every such piece, until they tear holes into the heap.
    2. Threads share two arenas: one for each thread would keep as many free lists.
    3. Elsewhere than on glibc nothing is done.
"""

from __future__ import annotations

import ctypes
from typing import Final

MMAP_THRESHOLD: Final = -3
ARENA_MAX: Final = -8
"""Names of glibc's `mallopt` (malloc.h)."""

LARGE: Final = 1 << 20
"""Bytes from which a piece is mapped apart."""


def tame() -> None:
    """Set the heap of this process up; best before it has grown."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGE)
        mallopt(ARENA_MAX, 2)


def trim() -> None:
    """Give back to the system what is free."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
