"""What can go wrong with a feed: a wrong specification, a file that cannot be used, a row that cannot be read.

Rules:
    1. A wrong specification, mappings included, is a `UsageError` (exit code 2), raised before anything is read.
    2. A file that is not what it claims to be is a `FeedError`; telemetry turns it into a `Problem` and goes on with
       the other files.
    3. A row that cannot be read is `Malformed`; its reason names no value, so that equal reasons can be counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors import MyrmidonError


class UsageError(MyrmidonError):
    """A feed was asked for in a way that cannot be meant."""

    exit_code = 2


class FeedError(MyrmidonError):
    """A file of a feed cannot be used: what it is, and what to do."""


class Malformed(ValueError):  # noqa: N818 - the word of the counts
    """A row cannot be read, for this reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A file that could not be processed, or not to its end; the other files of the feed were.

    Attributes:
        path: the file as it was found; it enters no fact.
        log: its base name.
    """

    feed: str
    path: str
    log: str
    message: str
