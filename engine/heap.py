"""The C library's heap, kept from keeping what it no longer needs.

Rules:
    1. Large pieces (a snapshot, a grown table) are mapped apart and go back to the system when they are freed. By
       itself glibc raises the bound of "large" with every such piece, until they tear holes into the heap.
    2. What is free at the heap's end is kept up to a bound. Once the bound of "large" is set, glibc would by itself
       give back every 128 KiB, and have them zeroed again for the next frame.
    3. Threads share two arenas: one for each thread would keep as many free lists.
    4. Elsewhere than on glibc nothing is done.
"""

from __future__ import annotations

import ctypes
from typing import Final

TRIM_THRESHOLD: Final = -1
MMAP_THRESHOLD: Final = -3
ARENA_MAX: Final = -8
"""Names of glibc's `mallopt` (malloc.h)."""

LARGE: Final = 1 << 20
"""Bytes from which a piece is mapped apart."""

SPARE: Final = 8 << 20
"""Free bytes that are kept at the heap's end."""


def tame() -> None:
    """Set the heap of this process up; best before it has grown."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGE)
        mallopt(TRIM_THRESHOLD, SPARE)
        mallopt(ARENA_MAX, 2)


def trim() -> None:
    """Give back to the system what is free."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
