"""The condition of a rule, as pySigma gives it, as one of ours (engine/rules/conditions.py)."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from engine.rules import conditions as ours
from engine.rules.document import Wrong
from engine.rules.fields import URL, Source


def condition_of(node: Any, source: Source, where: tuple[str, ...]) -> ours.Condition:
    """A condition of pySigma as one of ours."""
    name = type(node).__name__
    match name:
        case "ConditionAND":
            return ours.all_of(condition_of(part, source, where) for part in node.args)
        case "ConditionOR":
            return ours.any_of(condition_of(part, source, where) for part in node.args)
        case "ConditionNOT":
            return ours.Not(condition_of(node.args[0], source, where))
        case "ConditionFieldEqualsValueExpression":
            return _field_test(node.field, node.value, source)
        case "ConditionValueExpression":
            alternatives = _alternatives(node.value, keyword=True)
            return ours.any_of(ours.Test(field, alternatives) for field in source.keyword_fields())
        case _:
            raise Wrong("the condition is empty", where)


def _field_test(name: str, value: Any, source: Source) -> ours.Condition:
    kind = type(value).__name__
    if kind == "SigmaFieldReference":
        places: dict[tuple[bool, bool], ours.Place] = {
            (False, False): "exact", (True, False): "start", (False, True): "end", (True, True): "inside",
        }  # fmt: skip
        return ours.SameAs(source.field(name), source.field(value.field), places[value.starts_with, value.ends_with])
    if kind in {"SigmaNull", "SigmaExists"}:
        present = kind == "SigmaExists" and bool(value)
        return ours.Test(source.null_field(name), (ours.Present() if present else ours.Absent(),))
    field, alternatives = source.field(name), _alternatives(value)
    return _address_test(alternatives) if field.column == URL else ours.Test(field, alternatives)


def _address_test(alternatives: tuple[ours.Alternative, ...]) -> ours.Condition:
    """A test on the whole address, or on what follows its host: see rule 5 of fields."""
    whole: list[ours.Alternative] = []
    rest: list[ours.Alternative] = []
    for alternative in alternatives:
        match alternative:
            case ours.Literal(text=text, place="exact" | "start") if text.startswith("/"):
                rest.append(alternative)
            case ours.Wildcards(pieces=((str() as text, *_), *_), open_start=False) if text.startswith("/"):
                rest.append(alternative)
            case ours.Pattern(regex=regex) if "^" in regex or r"\A" in regex:
                whole.append(alternative)
                rest.append(alternative)
            case _:
                whole.append(alternative)
    pairs = ((ours.Field(URL), whole), (ours.Field("uri", "rest"), rest))
    return ours.any_of(ours.Test(field, tuple(some)) for field, some in pairs if some)


def _alternatives(value: Any, *, keyword: bool = False) -> tuple[ours.Alternative, ...]:
    """What a value of a rule asks of a field."""
    kind = type(value).__name__
    if kind == "SigmaExpansion":
        return tuple(inner for part in value.values for inner in _alternatives(part, keyword=keyword))
    if kind in {"SigmaString", "SigmaCasedString"}:
        return (_text(tuple(value.s), cased=kind == "SigmaCasedString", keyword=keyword),)
    if keyword and kind == "SigmaNumber":
        return (ours.Literal(str(value.number), "inside"),)
    reader = _READERS.get(kind)
    if reader is None:
        raise Wrong(f"values of the kind {kind.removeprefix('Sigma')} are not supported", ("detection",))
    return (reader(value),)


def _regex(value: Any) -> ours.Pattern:
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    return ours.Pattern(f"(?{flags}){value.regexp}" if flags else str(value.regexp))


_READERS: Final[dict[str, Any]] = {
    "SigmaNumber": lambda value: ours.Literal(str(value.number), "exact"),
    "SigmaBool": lambda value: ours.Literal(str(value.boolean).lower(), "exact"),
    "SigmaRegularExpression": _regex,
    "SigmaCIDRExpression": lambda value: ours.Network(str(value.network)),
    "SigmaCompareExpression": lambda value: ours.Compare(value.op.name.lower(), float(value.number.number)),
    "SigmaTimestampPart": lambda value: ours.TimePart(value.timestamp_part.name.lower(), int(value.number)),
}
"""Values of pySigma by class, but for texts."""


@cache
def _any_text() -> tuple[Any, Any]:
    from sigma.types import SpecialChars

    return SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_SINGLE


def _text(parts: tuple[Any, ...], *, cased: bool, keyword: bool) -> ours.Alternative:
    """A text with wildcards: a plain literal where it is one, else a regular expression."""
    many, _ = _any_text()
    if keyword and parts:
        parts = (many, *parts, many)
    while len(parts) > 1 and parts[0] is parts[1] is many:
        parts = parts[1:]
    while len(parts) > 1 and parts[-1] is parts[-2] is many:
        parts = parts[:-1]
    if not parts:
        return ours.Present() if keyword else ours.Literal("", "exact")
    if parts == (many,):
        return ours.Present()
    begins, ends = parts[0] is many, parts[-1] is many
    inner = parts[begins : len(parts) - ends]
    if len(inner) == 1 and isinstance(inner[0], str):
        place: ours.Place = "inside" if begins and ends else "end" if begins else "start" if ends else "exact"
        return ours.Literal(inner[0] if cased else inner[0].lower(), place, cased, inner[0])
    return _wildcards(parts, cased=cased)


def _wildcards(parts: tuple[Any, ...], *, cased: bool) -> ours.Wildcards:
    many, one = _any_text()
    begins, ends = parts[0] is many, parts[-1] is many
    pieces: list[list[str | None]] = [[]]
    for part in parts[begins : len(parts) - ends]:
        if part is many:
            pieces.append([])
        elif part is one:
            pieces[-1].append(None)
        elif isinstance(part, str):
            pieces[-1].append(part if cased else part.lower())
        else:
            raise Wrong(f"placeholder %{part.name}% has no value here", ("detection",))
    whole = tuple(tuple(piece) for piece in pieces if piece)
    written = "".join("*" if part is many else "?" if part is one else part for part in parts)
    return ours.Wildcards(whole, open_start=begins, open_end=ends, cased=cased, written=written)
