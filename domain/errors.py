"""The root of the error tree."""

from __future__ import annotations


class MyrmidonError(Exception):
    """Root of every error that an operator may see: what, where, what to do, in one line."""

    exit_code = 1
