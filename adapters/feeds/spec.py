"""`[NAME=]KIND:PATH`: how an operator names a feed.

Rules:
    1. The name defaults to the kind; it enters ids, the path never does. Two feeds of one run need two names.
    2. The path is a file, a folder (not recursive) or a glob. `?mapping=NAME` or `?mapping=FILE.toml` behind the path
       of a csv or parquet feed says how its columns are to be read; without it the mapping is detected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from adapters.feeds.errors import UsageError
from adapters.feeds.mapping import mapping_named

Kind = Literal["zeek", "eve", "csv", "parquet"]
KINDS: Final = get_args(Kind)
_NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)
_OPTION: Final = "?mapping="


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSpec:
    """One feed as it was asked for. `mapping` is a shipped name, a TOML path, or None to detect it."""

    name: str
    kind: Kind
    path: str
    mapping: str | None = None


def parse_spec(text: str) -> FeedSpec:
    """The feed that `[NAME=]KIND:PATH` names.

    >>> parse_spec("office=zeek:logs/current")
    FeedSpec(name='office', kind='zeek', path='logs/current', mapping=None)
    >>> parse_spec("csv:flows.csv?mapping=argus").mapping
    'argus'

    Raises:
        UsageError: the text is no feed specification.
    """
    named = _NAMED.fullmatch(text) if "=" in text.partition(":")[0] else None
    rest = named[2] if named else text
    kind, colon, path = rest.partition(":")
    if kind not in KINDS or not colon:
        raise UsageError(
            f"feed {text!r}: write [NAME=]KIND:PATH, KIND one of {', '.join(KINDS)} (NAME: letters, digits, . _ -)"
        )
    path, option, mapping = path.partition(_OPTION)
    if option and kind not in {"csv", "parquet"}:
        raise UsageError(f"feed {text!r}: only csv and parquet feeds take a mapping; leave out {_OPTION}...")
    if not path or (option and not mapping) or "\0" in text:
        raise UsageError(f"feed {text!r}: the path or the mapping is empty; write for example zeek:/var/log/zeek")
    return FeedSpec(name=named[1] if named else kind, kind=cast("Kind", kind), path=path, mapping=mapping or None)


def check_names(specs: Iterable[FeedSpec]) -> None:
    """Refuse two feeds of one name, and a mapping that is none.

    Raises:
        UsageError: a name occurs twice, or a mapping is unknown or cannot be meant.
    """
    seen: set[str] = set()
    for spec in specs:
        if spec.name in seen:
            raise UsageError(f"two feeds are named {spec.name!r}; name them apart: --feed NAME={spec.kind}:{spec.path}")
        seen.add(spec.name)
        if spec.mapping is not None:
            mapping_named(spec.mapping)
