"""Where a log lives, told by its location. Standard library only: `status` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from config.dsn import SCHEMES, is_dsn, pairs_of, text_of

EVIDENCE: Final = "the file is damaged; keep it as it is (it is evidence) and go on with a backup of the home"
"""What to do about a log that cannot be read for damage."""


class Postgres(NamedTuple):
    """A schema of a PostgreSQL database."""

    dsn: str
    schema: str


def place_of(location: str | Path, schema: str = "myrmidon") -> Path | Postgres | None:
    """A file, a PostgreSQL schema, or None for a log in memory.

    >>> place_of("postgresql://u@h/db?schema=red&sslmode=require")
    Postgres(dsn='postgresql://u@h/db?sslmode=require', schema='red')
    >>> place_of("memory:") is None
    True
    >>> place_of("host=h dbname=db schema=red")
    Postgres(dsn="host='h' dbname='db'", schema='red')
    """
    text = str(location)
    if text == "memory:":
        return None
    if not is_dsn(text):
        return Path(location)
    if not text.startswith(SCHEMES):
        pairs = pairs_of(text)
        schema = pairs.pop("schema", schema)
        return Postgres(text_of(pairs), schema)
    parts = urlsplit(text)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    schema = options.pop("schema", schema)
    return Postgres(urlunsplit(parts._replace(query=urlencode(options))), schema)
