"""Fact <-> body bytes, by `kind` and schema version, through the closed registry `domain.events.FACTS`.

Rules:
    1. A body is the msgspec JSON of the frozen dataclass: fields in order of declaration, keys of a dict sorted, so
       that the same fact gives the same bytes on every run.
    2. A kind or version that is not in the registry is an error; nothing named in a row is ever imported.
    3. A body of an older version is lifted by `UPCASTERS`, one version a step, on its JSON object; then it is typed.
    4. Only finite floats are stored: JSON would turn NaN into null without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache
from math import isfinite
from operator import attrgetter
from typing import Any, Final, TypeAlias, get_args, get_origin, get_type_hints

import msgspec

from domain.events import FACTS, VERSIONS, Fact
from domain.journal import JournalError

Upcaster: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: Final[dict[tuple[str, int], Upcaster]] = {
    # until then no rule had ever matched (the list was always empty, or not there) and no evidence was stored
    ("threat-detected", 1): lambda body: {**body, "rules": [], "detail": ""},
    ("threat-continued", 1): lambda body: {**body, "rules": [], "detail": ""},
    # one threat stood for all that an entity did of a kind, and nobody wrote down that it had begun earlier
    ("threat-detected", 2): lambda body: {**body, "about": ""},
    ("threat-continued", 2): lambda body: {**body, "about": "", "first_seen": body["last_seen"]},
    # it was told once, when the warm-up began
    ("baseline-warming", 1): lambda body: {**body, "seen": 0},
    # nobody wrote down whether the samples were windows or verdicts
    ("model-trained", 1): lambda body: {**body, "verdicts": 0},
    # it repeated all entities of the incident, the one that was added last
    ("threat-linked", 1): lambda body: {**body, "entity": body["entities"][-1]},
    # nobody wrote down which actuator it was
    ("action-started", 1): lambda body: {**body, "by": ""},
}
"""(kind, version) -> pure function that lifts a JSON object of that version to the next one."""


class CodecError(JournalError):
    """A fact cannot be written, or a body cannot be read."""


_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_CLASSES: Final = frozenset(FACTS.values())


@cache
def _decoder(kind: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(FACTS[kind])


def encode(fact: Fact) -> bytes:
    """The body of a fact.

    Raises:
        CodecError: the fact is not in the registry or holds what JSON cannot (a non-finite float, half a surrogate).
    """
    cls: Any = type(fact)
    if cls not in _CLASSES:
        raise CodecError(f"{cls.__name__} ({fact.kind}) is not in domain.events.FACTS: name it in `Fact` there")
    try:
        body = _encode(fact)
        if b"null" in body and (check := _finite(cls)) and not check(fact):  # a NaN becomes a null
            raise CodecError(_not_finite(fact))
    except (msgspec.ValidationError, msgspec.EncodeError, UnicodeError, OverflowError, TypeError) as error:
        raise CodecError(f"a {fact.kind} cannot be written: {error}: its fields must hold what they declare") from error
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
        raise CodecError(
            f"a body of {kind!r} version {version} does not fit its type ({error}): audit verify"
        ) from error


def decode_all(kinds: Sequence[str], versions: Sequence[int], bodies: Sequence[bytes]) -> list[Fact]:
    """`decode` of many: what reads a kind in a version is looked up once, not once a body."""
    found = set(zip(kinds, versions, strict=True))
    if any(VERSIONS.get(kind) != version for kind, version in found):
        return list(map(decode, kinds, versions, bodies))
    readers = {kind: _decoder(kind).decode for kind, _ in found}
    try:
        return [readers[kind](body) for kind, body in zip(kinds, bodies, strict=True)]
    except (msgspec.DecodeError, UnicodeError):
        return list(map(decode, kinds, versions, bodies))  # names the one that does not fit


def encode_tags(tags: tuple[str, ...]) -> str:
    """Tags as they stand in their column: a JSON list."""
    return _tags_text(tags)


@lru_cache(maxsize=4096)
def decode_tags(text: str) -> tuple[str, ...]:
    """Tags of a column."""
    return msgspec.json.decode(text, type=tuple[str, ...])


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


def _not_finite(fact: Fact) -> str:
    checks = ((field, _finite(hint)) for field, hint in _hints(type(fact)))
    bad = ", ".join(field for field, check in checks if check and not check(getattr(fact, field)))
    return f"a {fact.kind} holds a float in {bad} that is not finite: facts carry finite floats only"


def _hints(cls: Any) -> list[tuple[str, Any]]:
    hints = get_type_hints(cls)
    return [(field.name, hints[field.name]) for field in fields(cls)]


@cache
def _finite(hint: Any) -> Any:
    """A function that tells whether a value of this type holds finite floats only; None for types without floats."""
    if hint is float:
        return isfinite
    if is_dataclass(hint):
        return _finite_fields(hint)
    inner = next((check for check in map(_finite, get_args(hint)) if check), None)
    if inner is None:
        return None
    if get_origin(hint) is tuple:
        return lambda values: all(map(inner, values))
    if get_origin(hint) is dict:
        return lambda values: all(map(inner, values.values()))
    return lambda value: value is None or inner(value)


def _finite_fields(cls: Any) -> Any:
    hints = _hints(cls)
    plain = [name for name, hint in hints if hint is float]
    others = [(attrgetter(name), check) for name, hint in hints if hint is not float and (check := _finite(hint))]
    if not plain and not others:
        return None
    floats = attrgetter(*plain, *plain[:1]) if plain else lambda _: ()  # one twice: so that one name gives a tuple too

    def check_all(value: object) -> bool:
        for get, check in others:
            if not check(get(value)):
                return False
        return all(map(isfinite, floats(value)))

    return check_all
