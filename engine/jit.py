"""Kernels: functions over arrays, as machine code that is kept on disk where a place for it can be found.

Only modules that hold kernels import this one, and they are imported by who counts: numba costs 0.3 s and 90 MiB.

Numba notices a change of the file that a kernel stands in, but not one of the kernels that it calls. Here they all
carry the stamp of their whole folder: whichever file is changed, nothing old is run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from numba import njit

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])


_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "error_model": "numpy", "_nrt": False}
"""Kernels neither make arrays nor count references to them: what they need comes in. Twice as fast in small steps."""


def jit(function: _Kernel) -> _Kernel:
    """Compile `function` at its first call."""
    try:
        compiled: _Kernel = njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # neither the package's folder nor a cache folder of the user can be written
        return njit(**_OPTIONS)(function)  # type: ignore[no-any-return]
    folder = Path(function.__code__.co_filename).parent
    compiled._cache._cache_file._source_stamp = _stamp(folder)  # type: ignore[attr-defined]
    return compiled


@cache
def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    files = sorted(folder.glob("*.py"))
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
