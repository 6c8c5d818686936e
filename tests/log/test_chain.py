"""The fingerprints are what their rules say, by a second reading of the rules."""

from __future__ import annotations

import doctest
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from adapters.log import chain, location
from adapters.log.chain import COLUMNS, EMPTY, GENESIS, seal
from domain.events import SENSED

NAMES = [name for name, _ in COLUMNS][:-1]
VALUES = {int: st.integers(0, 2**62), str: st.text(max_size=5), bytes: st.binary(max_size=5)}
ROWS = st.tuples(*(VALUES[kind] for _, kind in COLUMNS[:-1]))


def by_the_rules(previous: bytes, row: tuple[object, ...]) -> tuple[bytes, int]:
    """Rules 1 to 3 of `adapters.log.chain`, word for word."""
    column = dict(zip(NAMES, row, strict=True))

    def number(name: str) -> bytes:
        return int(str(column[name])).to_bytes(8, "big")

    def raw(name: str) -> bytes:
        value = column[name]
        return value if isinstance(value, bytes) else str(value).encode()

    def length(name: str) -> bytes:
        return len(raw(name)).to_bytes(4, "big")

    nine = ["event_id", "stream", "kind", "actor", "causation", "correlation", "region", "tags", "body"]
    decided = b"".join(map(number, ["rank", "schema_version", "occurred_at"]))
    decided += b"".join(map(length, nine)) + b"".join(map(raw, nine))
    moment = b"".join(map(number, ["position", "version", "recorded_at"])) + length("clock") + raw("clock")
    leaf = 0 if column["kind"] in SENSED else int(sha256(decided).hexdigest(), 16)
    return sha256(previous + moment + decided).digest(), leaf


@given(st.binary(min_size=32, max_size=32), ROWS)
def test_a_row_is_sealed_by_the_rules(previous: bytes, row: tuple[object, ...]) -> None:
    assert seal(previous, row) == by_the_rules(previous, row)  # type: ignore[arg-type]


@given(ROWS, st.sampled_from(range(len(NAMES))), st.data())
def test_another_value_in_any_column_gives_another_hash(
    row: tuple[object, ...], index: int, data: st.DataObject
) -> None:
    other = data.draw(VALUES[COLUMNS[index][1]].filter(lambda value: value != row[index]))
    changed = (*row[:index], other, *row[index + 1 :])
    assert seal(GENESIS, row)[0] != seal(GENESIS, changed)[0]  # type: ignore[arg-type]


def test_a_sensed_fact_adds_nothing_to_the_digest() -> None:
    row = [kind() for _, kind in COLUMNS[:-1]]
    row[NAMES.index("kind")] = "health-reported"
    assert seal(GENESIS, tuple(row))[1] == 0  # type: ignore[arg-type]


def test_an_empty_log_has_the_documented_fingerprint() -> None:
    end = EMPTY.fingerprint()
    assert (end.events, end.position, end.head, end.digest) == (0, 0, "0" * 64, "0" * 64)


def test_the_examples_in_the_docstrings_run() -> None:
    for module in (chain, location):
        result = doctest.testmod(module)
        assert (result.failed, result.attempted > 0) == (0, True)
