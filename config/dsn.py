"""What names a PostgreSQL database, told from all that does not. Standard library only: `status` reads it.

Rules:
    1. A DSN is `postgresql://...`, `postgres://...`, or libpq's `keyword=value` pairs, of which one says where or what
       the database is. Nothing else is one: not a path, not the URL of another database, not that of a driver.
    2. What is no DSN is a wrong setting. It is never taken for the name of a file.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

SCHEMES: Final = ("postgresql://", "postgres://")

NAMING: Final = frozenset({"host", "hostaddr", "port", "dbname", "user", "service"})
"""Keywords of which pairs hold one at least."""

WANTED: Final = (
    "must be a PostgreSQL DSN, postgresql://USER@HOST/NAME or `host=HOST dbname=NAME`; leave it out, and the log is a "
    "file in the home"
)
"""What to say of what is none; without the value, which may hold a password."""

_PAIR: Final = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?=\s|$)")


def is_dsn(text: str) -> bool:
    """Whether a text names a PostgreSQL database.

    >>> [is_dsn(each) for each in ("postgresql://u@h/db", "host=/run dbname='my db'")]
    [True, True]
    >>> [is_dsn(each) for each in ("mysql://u@h/db", "postgresql+psycopg://h/db", "relative.db", "a=b", "memory:")]
    [False, False, False, False, False]
    """
    if not text.startswith(SCHEMES):
        return not NAMING.isdisjoint(pairs_of(text))
    try:
        urlsplit(text)
    except ValueError:
        return False
    return True


def pairs_of(text: str) -> dict[str, str]:
    r"""Keywords and values of libpq's other way to write a DSN; none when the text is not of that form.

    >>> pairs_of(r"host = h dbname='it\'s one' password=")
    {'host': 'h', 'dbname': "it's one", 'password': ''}
    >>> pairs_of("host=h, dbname")
    {}
    """
    found: dict[str, str] = {}
    place, text = 0, text.rstrip()
    while place < len(text):
        pair = _PAIR.match(text, place)
        if pair is None:
            return {}
        value = pair[2]
        found[pair[1]] = re.sub(r"\\(.)", r"\1", value[1:-1] if value.startswith("'") else value)
        place = pair.end()
    return found


def text_of(pairs: dict[str, str]) -> str:
    r"""The pairs as a DSN.

    >>> text_of({"host": "h", "dbname": "it's one"})
    "host='h' dbname='it\\'s one'"
    """
    quoted = {name: re.sub(r"([\\'])", r"\\\1", value) for name, value in pairs.items()}
    return " ".join(f"{name}='{value}'" for name, value in quoted.items())
