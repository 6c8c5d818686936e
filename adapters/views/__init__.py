"""The views in a database of their own, in generations: one is live, the next is built beside it and swapped in."""

from adapters.views.generation import ViewError, ViewMismatch
from adapters.views.store import Views

__all__ = ["ViewError", "ViewMismatch", "Views"]
