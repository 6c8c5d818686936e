"""Loops as machine code: compiled once by numba, kept on disk where a place for it can be found.

The compiler may not reorder sums (no `fastmath`, no parallel loops): a score is the same to the last bit in any batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache


@cache
def compiled(loop: Callable[..., None]) -> Callable[..., None]:
    """The machine code of `loop`; numba is imported on first use only."""
    from numba import njit

    try:
        code: Callable[..., None] = njit(cache=True, nogil=True)(loop)
    except RuntimeError:  # neither the package's folder nor a cache folder of the user can be written
        code = njit(nogil=True)(loop)
    return code
