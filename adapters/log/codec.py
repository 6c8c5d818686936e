"""Fact <-> body bytes, by `kind` and schema version, through the closed registry `domain.events.FACTS`.

Rules:
    1. A body is the msgspec JSON of the frozen dataclass: fields in order of declaration, keys of a dict sorted, so
       that the same fact gives the same bytes on every run.
    2. A kind or version that is not in the registry is an error; nothing named in a row is ever imported.
    3. A body of an older version is lifted by `UPCASTERS`, one version a step, on its JSON object; then it is typed.
    4. Only finite floats are stored: JSON would turn NaN into null without a word.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias
from uuid import UUID

import msgspec

from domain.events import FACTS, VERSIONS, Fact
from domain.journal import JournalError

Upcaster: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: Final[dict[tuple[str, int], Upcaster]] = {}
"""(kind, version) -> pure function that lifts a JSON object of that version to the next one."""


class CodecError(JournalError):
    """A fact cannot be written, or a body cannot be read."""


_encoder: Final = msgspec.json.Encoder(order="deterministic")


@lru_cache(maxsize=None)
def _decoder(kind: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(FACTS[kind])


def encode(fact: Fact) -> bytes:
    """The body of a fact.

    Raises:
        CodecError: the fact is not in the registry or holds what JSON cannot (a non-finite float, half a surrogate).
    """
    if FACTS.get(fact.kind) is not type(fact):
        raise CodecError(f"{type(fact).__name__} ({fact.kind}) is not in domain.events.FACTS: name it in `Fact` there")
    try:
        body = _encoder.encode(fact)
        if b"null" in body and _decoder(fact.kind).decode(body) != fact:  # a null that was a NaN compares unequal
            raise CodecError(_why(fact))
    except (msgspec.ValidationError, msgspec.EncodeError, UnicodeError, OverflowError, TypeError) as error:
        raise CodecError(f"{_why(fact)} ({error})") from error
    return body


def decode(kind: str, version: int, body: bytes) -> Fact:
    """The fact that a body of `kind` in schema `version` stands for.

    Raises:
        CodecError: kind or version is unknown to this release, or the body does not fit.
    """
    try:
        if VERSIONS[kind] == version:
            fact: Fact = _decoder(kind).decode(body)
            return fact
        return _lift(kind, version, body)
    except KeyError as error:
        raise CodecError(
            f"this release knows no {kind!r} in schema version {version}: read this log with the release that wrote it"
        ) from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise CodecError(f"a body of {kind!r} version {version} does not fit its type ({error}): audit verify") from error


def encode_tags(tags: tuple[str, ...]) -> str:
    """Tags as they stand in their column: a JSON list."""
    return _tags_text(tags)


@lru_cache(maxsize=4096)
def decode_tags(text: str) -> tuple[str, ...]:
    """Tags of a column."""
    return msgspec.json.decode(text, type=tuple[str, ...])


@lru_cache(maxsize=4096)
def decode_uuid(raw: bytes) -> UUID | None:
    """Causation or correlation of a column; an empty one is None."""
    return UUID(bytes=raw) if raw else None


@lru_cache(maxsize=4096)
def _tags_text(tags: tuple[str, ...]) -> str:
    return msgspec.json.encode(tags).decode()


def _lift(kind: str, version: int, body: bytes) -> Fact:
    data = msgspec.json.decode(body, type=dict[str, Any])
    while version != VERSIONS[kind]:
        data = UPCASTERS[kind, version](data)
        version += 1
    fact: Fact = msgspec.convert(data, FACTS[kind])
    return fact


def _why(fact: Fact) -> str:
    bad = next(_non_finite(fact), None)
    if bad is None:
        return f"a {fact.kind} does not survive the codec: a field holds another type than it declares"
    return f"a {fact.kind} holds a non-finite float in {bad}: facts carry finite floats only"


def _non_finite(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield path
    elif is_dataclass(value):
        for field in fields(value):
            yield from _non_finite(getattr(value, field.name), f"{path}.{field.name}".lstrip("."))
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from _non_finite(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key in sorted(value):
            yield from _non_finite(value[key], f"{path}[{key!r}]")
