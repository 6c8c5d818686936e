"""From Sigma text to rules: pySigma reads it, we keep what the matcher needs.

Rules:
    1. Nothing is fetched from anywhere: `sigma.data` is not imported. pySigma itself is imported on first use.
    2. A file may hold several documents. Every error names the file and the line of the element that is to blame.
    3. A rule with an error is left out; the others of the file stand. A rule whose log source no record here fits is
       no error: it is ignored, with the reason.
    4. A rule's key is its `id`; one without is known by the hash of its content.
    5. A rule without a level has the level low: what nobody has weighed opens no incident.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from domain.sighting import RuleHit
from domain.values import RuleLevel
from engine.rules import conditions as ours
from engine.rules.document import Document, RuleError, Wrong
from engine.rules.fields import Source, source_of
from engine.rules.known import doubts_of
from engine.rules.terms import condition_of

if TYPE_CHECKING:
    from sigma.correlations import SigmaCorrelationRule
    from sigma.rule import SigmaRule

CorrelationType = Literal["event_count", "value_count", "temporal", "temporal_ordered"]
CountOrder = Literal["gt", "gte", "eq"]


LONGEST_SPAN: Final = 86_400
"""Seconds of the longest timespan of a correlation: its events are kept in memory for so long."""

MOST_COUNTED: Final = 10_000
"""Greatest count that a correlation may ask for: so many events of a group are kept in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A rule that is right but fits no record that is read here."""

    file: str
    line: int
    title: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule about single records. `silent` when it only feeds a correlation; `content` is the hash of its text."""

    key: str
    name: str
    hit: RuleHit
    source: Source
    condition: ours.Condition
    category: str
    file: str
    line: int
    content: str
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """A rule about several records.

    Attributes:
        rules: keys of the rules whose matches it counts, in the rule's order.
        group_by: field names; `aliases` says for a name and a rule which field of that rule's records is meant.
        span: seconds.
        order, count: how many are needed; of a temporal one, how many different rules.
        field: whose distinct values are counted (value_count).
    """

    key: str
    name: str
    hit: RuleHit
    kind: CorrelationType
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    aliases: dict[str, dict[str, str]]
    span: int
    order: CountOrder
    count: int
    field: str
    file: str
    line: int
    content: str
    silent: bool = False


Loaded: TypeAlias = Rule | Correlation


def parse(document: Document) -> tuple[Loaded | Ignored | None, list[RuleError]]:
    """The rule of a document, or why there is none."""
    if "filter" in document.data:
        return None, [document.error("filters are not supported: write the exception into the rule", ("filter",))]
    if "correlation" in document.data:
        return _checked(document, _correlation)
    return _checked(document, _rule)


def _checked(document: Document, build: Any) -> tuple[Loaded | Ignored | None, list[RuleError]]:
    from sigma.exceptions import SigmaError
    from sigma.rule.base import check_alias_expansion

    try:
        check_alias_expansion(document.data)
        built, errors = build(document)
    except Wrong as wrong:
        return None, [document.error(str(wrong), wrong.path)]
    except SigmaError as error:
        return None, [document.error(_message(error), _place_of(error, document))]
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        return None, [document.error(f"cannot be read: {str(error) or type(error).__name__}")]
    return (None, errors) if errors else (built, [])


PLACES: Final[dict[str, tuple[str, ...]]] = {
    "SigmaConditionError": ("detection", "condition"),
    "SigmaDetectionError": ("detection",),
    "SigmaLogsourceError": ("logsource",),
    "SigmaLevelError": ("level",),
    "SigmaStatusError": ("status",),
    "SigmaTitleError": ("title",),
    "SigmaNameError": ("name",),
    "SigmaIdentifierError": ("id",),
    "SigmaTagError": ("tags",),
    "SigmaDateError": ("date",),
    "SigmaModifiedError": ("modified",),
    "SigmaAuthorError": ("author",),
    "SigmaDescriptionError": ("description",),
    "SigmaReferencesError": ("references",),
    "SigmaFalsePositivesError": ("falsepositives",),
    "SigmaFieldsError": ("fields",),
    "SigmaRelatedError": ("related",),
    "SigmaLicenseError": ("license",),
    "SigmaScopeError": ("scope",),
    "SigmaTimespanError": ("correlation", "timespan"),
    "SigmaCorrelationTypeError": ("correlation", "type"),
    "SigmaCorrelationConditionError": ("correlation", "condition"),
    "SigmaCorrelationRuleError": ("correlation",),
}
"""Which key of a rule an error of pySigma is about."""


def _place_of(error: Exception, document: Document) -> tuple[str, ...]:
    place = PLACES.get(type(error).__name__, ())
    if place == ("modified",) and "modified" not in document.data:
        return ("detection",)  # pySigma's windash modifier uses the class of that key
    return place


def _message(error: Exception) -> str:
    text = str(error.args[0]) if error.args else str(error)
    text = OBJECT.sub(lambda found: "null" if found[1] == "SigmaNull" else f"a {found[1]}", text)
    return f"{text[:1].lower()}{text[1:]}" if text[:2].istitle() else text


OBJECT: Final = re.compile(r"'?<sigma\.[\w.]*?(\w+) object at 0x\w+>'?")
"""How pySigma's messages name a value that has no text."""

TAGGED: Final = re.compile(r"attack\.t\d{4}(\.\d{3})?")

HARMLESS: Final = {"selection": {"field": "value"}, "condition": "selection"}
"""Stands in for a detection that is wrong, so that the rest of the rule is looked at too."""


def doubts(document: Document, rule: Rule) -> list[RuleError]:
    """What a rule asks for that records of its log do not have by themselves: most likely a misspelling."""
    paths: dict[str, tuple[str, ...]] = {}
    for path, key, _ in _items(document.data.get("detection"), ("detection",)):
        if key:
            paths.setdefault(key.partition("|")[0], path)
    found = doubts_of(rule.source, [name for name in paths if name])
    said = [document.error(words, paths[name] if name else ("logsource", "service")) for name, words in found]
    return [*_no_techniques(document), *said, *_unused(document)]


def _no_techniques(document: Document) -> Iterator[RuleError]:
    for number, tag in enumerate(document.data.get("tags") or ()):
        word = str(tag).lower()
        if re.match(r"attack\.t\d", word) and not TAGGED.fullmatch(word):
            meant = "is no id of an ATT&CK technique: write attack.t1071 or attack.t1071.004"
            yield document.error(f"{tag} {meant}", ("tags", str(number)))


def _unused(document: Document) -> Iterator[RuleError]:
    """Selections that no condition names, neither in full nor by a pattern (`them` names all but those with `_`)."""
    detection = document.data["detection"]
    conditions = detection["condition"]
    words = set(re.findall(r"[\w*?.-]+", " ".join(conditions if isinstance(conditions, list) else [conditions])))
    for name in detection:
        them = "them" in words and not name.startswith("_")
        if name not in {"condition", "timeframe"} and not them and not any(fnmatchcase(name, word) for word in words):
            yield document.error(f"no condition names the selection {name}", ("detection", name))


def _bad_tags(tags: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every tag that pySigma refuses without saying which: the message and the path to it."""
    for number, tag in enumerate(tags if isinstance(tags, list) else []):
        if "." not in str(tag):
            yield f"tag {tag!r} has no namespace: write NAMESPACE.NAME, as in attack.t1071", ("tags", str(number))


def _rule(document: Document) -> tuple[Rule | Ignored, list[RuleError]]:
    from sigma.rule import SigmaRule

    tags = list(_bad_tags(document.data.get("tags")))
    data = {**document.data, "tags": []} if tags else document.data
    errors = [document.error(message, path) for message, path in tags]
    errors += [document.error(message, path) for message, path in _bad_items(data.get("detection"))]
    # what a single item is to blame for was said with its line already
    parsed = SigmaRule.from_dict({**data, "detection": HARMLESS} if errors else data, collect_errors=True)
    errors += [document.error(_message(error), _place_of(error, document)) for error in parsed.errors]
    if errors:
        return _nothing(document), errors
    log = parsed.logsource
    source = source_of(log.category, log.product, log.service)
    if isinstance(source, str):
        # its condition is checked all the same
        for condition in parsed.detection.parsed_condition:
            _ = condition.parsed
        return _nothing(document, parsed.title, source), []
    content = _content(data)
    return Rule(
        key=str(parsed.id or content[:32]),
        name=parsed.name or "",
        hit=_hit(parsed, content),
        source=source,
        condition=ours.any_of(
            condition_of(condition.parsed, source, ("detection", "condition"))
            for condition in parsed.detection.parsed_condition
        ),
        category=log.category or log.service or "",
        file=document.file,
        line=document.line,
        content=content,
    ), []


def _nothing(document: Document, title: str = "", reason: str = "") -> Ignored:
    return Ignored(file=document.file, line=document.at(("logsource",)), title=title, reason=reason)


def _bad_items(detection: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every item of a detection that pySigma refuses: the message and the path to it."""
    from sigma.exceptions import SigmaError
    from sigma.rule import SigmaDetectionItem

    for path, key, value in _items(detection, ("detection",)):
        try:
            _check_regex(key, value)
            SigmaDetectionItem.from_mapping(key, value)
        except SigmaError as error:
            yield f"{key or path[-1]}: {_message(error)}", path
        except (TypeError, ValueError) as error:
            yield f"{key or path[-1]}: {error}", path


def _check_regex(key: str | None, value: Any) -> None:
    """Refuse a regular expression before pySigma does: its library would print on standard error.

    Raises:
        ValueError: it is none.
    """
    if key is None or "re" not in key.split("|")[1:]:
        return
    import re2

    options = re2.Options()
    options.log_errors = False
    for text in value if isinstance(value, list) else [value]:
        try:
            re2.compile(str(text), options)
        except re2.error as error:
            reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else error
            raise ValueError(f"regular expression {text!r} is wrong: {reason}") from None


def _items(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str | None, Any]]:
    """The items of a detection: path, key (None for a keyword) and value."""
    if isinstance(node, dict):
        for key, value in node.items():
            inner = (*path, str(key))
            if len(path) > 1:
                yield inner, str(key), value
            elif key not in {"condition", "timeframe"}:
                yield from _items(value, inner)
    elif isinstance(node, list) and len(path) > 1:
        for number, value in enumerate(node):
            if isinstance(value, dict | list):
                yield from _items(value, (*path, str(number)))
            else:
                yield (*path, str(number)), None, value
    elif len(path) > 1:
        yield path, None, node


def _correlation(document: Document) -> tuple[Correlation, list[RuleError]]:
    from sigma.correlations import SigmaCorrelationRule

    parsed = SigmaCorrelationRule.from_dict(document.data)
    kind = parsed.type.name.lower()
    if kind not in {"event_count", "value_count", "temporal", "temporal_ordered"}:
        raise Wrong(f"a correlation of type {kind} is not supported", ("correlation", "type"))
    order, count, field = _count_of(parsed)
    if parsed.timespan.seconds > LONGEST_SPAN:
        raise Wrong(f"a timespan of more than {LONGEST_SPAN} s is not supported", ("correlation", "timespan"))
    names = [reference.reference for reference in parsed.rules or ()]
    if len(set(names)) < len(names):
        raise Wrong("a rule is listed twice", ("correlation", "rules"))
    content = _content(document.data)
    return Correlation(
        key=str(parsed.id or content[:32]),
        name=parsed.name or "",
        hit=_hit(parsed, content),
        kind=kind,  # type: ignore[arg-type]  # one of the four, as was just seen
        rules=tuple(reference.reference for reference in parsed.rules or ()),
        group_by=tuple(parsed.group_by or ()),
        aliases={
            alias.alias: {reference.reference: name for reference, name in alias.mapping.items()}
            for alias in parsed.aliases
        },
        span=parsed.timespan.seconds,
        order=order,
        count=count,
        field=field,
        file=document.file,
        line=document.line,
        content=content,
    ), []


def _count_of(parsed: SigmaCorrelationRule) -> tuple[CountOrder, int, str]:
    """How many are needed: order, count, and the field whose values are counted."""
    from sigma.correlations import SigmaCorrelationCondition

    where = ("correlation", "condition")
    condition = parsed.condition
    if not isinstance(condition, SigmaCorrelationCondition):
        raise Wrong("a condition with and, or, not over rules is not supported: count the rules instead", where)
    order = condition.op.name.lower()
    if order not in {"gt", "gte", "eq"}:
        raise Wrong(f"{order} is not supported: while events still come, only gt, gte and eq can be told", where)
    if not isinstance(condition.count, int) or not 1 <= condition.count <= MOST_COUNTED:
        raise Wrong(f"the count must be a whole number from 1 to {MOST_COUNTED}", where)
    field = condition.fieldref or ""
    if not isinstance(field, str):
        raise Wrong("values of several fields at once are not supported", where)
    return order, condition.count, field  # type: ignore[return-value]  # one of the three, as was just seen


def _content(data: dict[str, Any]) -> str:
    """SHA-256 (hex) of what a rule says, however it is laid out."""
    return sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()


TECHNIQUE: Final = re.compile(r"t\d{4}(\.\d{3})?")


def _hit(parsed: SigmaRule | SigmaCorrelationRule, content: str) -> RuleHit:
    names = (tag.name.lower() for tag in parsed.tags if tag.namespace.lower() == "attack")
    level: RuleLevel = parsed.level.name.lower() if parsed.level else "low"  # type: ignore[assignment]  # Sigma's five
    return RuleHit(
        id=str(parsed.id or content[:32]),
        version=content[:12],
        title=parsed.title,
        level=level,
        author=parsed.author or "",
        techniques=tuple(name.upper() for name in names if TECHNIQUE.fullmatch(name)),
        licence=parsed.license or "",
        reference=str(parsed.references[0]) if parsed.references else "",
    )
