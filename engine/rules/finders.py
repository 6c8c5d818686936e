"""Finders: each looks for what many tests ask of a text, in all new texts at once.

All have one shape: `find(texts, found)` adds to `found`, by the text's index, the tests that hold for it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, Final, TypeAlias

import numpy as np
from ahocorasick_rs import AhoCorasick, MatchKind

from engine.rules import conditions as ours

SHORTEST: Final = 3
"""Shorter literals are looked for one by one: they stand in too many values for the automaton to gain anything."""

AT_ONCE: Final = 16
"""Regular expressions that are looked for together."""

REGEX_MEMORY: Final = 32 << 20
"""Bytes that such a bundle may use."""

BREAK: Final = "\x00"
"""Stands between two texts in one pass; a literal that holds it is looked for one by one."""

Found: TypeAlias = defaultdict[int, set[int]]
"""Tests that hold, by the index of the text."""

Check: TypeAlias = Callable[[str], bool]


class Literals:
    """Texts that must stand somewhere, without regard to case: one pass for all (Aho and Corasick, 1975).

    Texts with wildcards are looked at closely only where their longest literal stands.
    """

    def __init__(self, literals: Sequence[tuple[int, ours.Literal | ours.Wildcards]]) -> None:
        self._exact: dict[str, list[int]] = defaultdict(list)
        self._short: list[tuple[int, str]] = []
        self._close: list[tuple[int, Check]] = []
        placed: dict[str, list[tuple[ours.Place, int, Check | None]]] = defaultdict(list)
        for test, literal in literals:
            if isinstance(literal, ours.Wildcards):
                needed, check = longest(literal), glob(literal)
                if len(needed) < SHORTEST or BREAK in needed:
                    self._close.append((test, check))
                else:
                    placed[needed].append(("inside", test, check))
                continue
            text, place = literal.text, literal.place
            if place == "exact":
                self._exact[text].append(test)
            elif BREAK in text:
                self._close.append((test, check_of(literal)))
            elif place == "inside" and len(text) < SHORTEST:
                self._short.append((test, text))
            else:
                placed[text].append((place, test, None))
        self._patterns = list(placed.values())
        self._automaton = AhoCorasick(list(placed), matchkind=MatchKind.Standard) if placed else None

    def find(self, texts: Sequence[str], found: Found) -> None:
        """See the module."""
        lowered = [text.lower() for text in texts]
        if self._exact:
            for i, low in enumerate(lowered):
                if low in self._exact:
                    found[i].update(self._exact[low])
        self._one_by_one(lowered, found)
        if self._automaton is not None:
            self._place(self._automaton, lowered, found)

    def _one_by_one(self, lowered: Sequence[str], found: Found) -> None:
        """Add the tests whose literal is too short to be looked for with the others."""
        for test, text in self._short:
            for i, low in enumerate(lowered):
                if text in low:
                    found[i].add(test)
        for test, check in self._close:
            for i, low in enumerate(lowered):
                if check(low):
                    found[i].add(test)

    def _place(self, automaton: AhoCorasick, lowered: Sequence[str], found: Found) -> None:
        """Add the tests whose literal stands where it should."""
        hits = automaton.find_matches_as_indexes(sound(BREAK.join(lowered)), overlapping=True)
        if not hits:
            return
        starts = np.cumsum([0, *(len(low) + 1 for low in lowered)])
        table = np.array(hits, np.int64)
        owners = np.searchsorted(starts, table[:, 1], "right") - 1
        at_start = table[:, 1] == starts[owners]
        at_end = table[:, 2] == starts[owners + 1] - 1
        for pattern, owner, first, last in zip(
            table[:, 0].tolist(), owners.tolist(), at_start.tolist(), at_end.tolist(), strict=True
        ):
            for place, test, check in self._patterns[pattern]:
                stands = place == "inside" or (first if place == "start" else last)
                if stands and (check is None or check(lowered[owner])):
                    found[owner].add(test)


def longest(wildcards: ours.Wildcards) -> str:
    """The longest text without wildcards in a text with them."""
    return max((part for piece in wildcards.pieces for part in piece if part), key=len, default="")


def glob(wildcards: ours.Wildcards) -> Check:
    """A function that tells whether a value fits a text with wildcards.

    Piece after piece is looked for at the first place where it fits, which is right for `*`, and takes linear time.
    """
    pieces = [
        re.compile("".join("." if part is None else re.escape(part) for part in piece), re.DOTALL)
        for piece in wildcards.pieces
    ]
    sizes = [sum(1 if part is None else len(part) for part in piece) for piece in wildcards.pieces]
    first, last = not wildcards.open_start, not wildcards.open_end

    def fits(value: str) -> bool:
        at, end = 0, len(value)
        if last:
            end -= sizes[-1]
            if end < 0 or not pieces[-1].match(value, end):
                return False
            if len(pieces) == 1 and first:
                return end == 0
        for number, piece in enumerate(pieces[: len(pieces) - last]):
            match = piece.match(value, 0, end) if first and not number else piece.search(value, at, end)
            if match is None:
                return False
            at = match.end()
        return True

    return fits


PLACED: Final[Mapping[ours.Place, Callable[[str, str], bool]]] = {
    "exact": lambda value, text: value == text,
    "start": lambda value, text: value.startswith(text),
    "end": lambda value, text: value.endswith(text),
    "inside": lambda value, text: text in value,
}
"""Whether a value has a text in a place."""


def sound(text: str) -> str:
    """The text without halves of surrogate pairs, which no library takes; its length stays."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


class Regexes:
    """Regular expressions, looked for by RE2: its time is linear, so that no value makes the detections stand still.

    Those without anchors are first looked for in all texts at once: what is in none of them costs next to nothing.
    """

    def __init__(self, regexes: Sequence[tuple[int, ours.Pattern]]) -> None:
        loose = [pair for pair in regexes if not ANCHORED.search(CLASS.sub("[", pair[1].regex))]
        fixed = [pair for pair in regexes if pair not in loose]
        self._loose = [_Bundle(loose[i : i + AT_ONCE]) for i in range(0, len(loose), AT_ONCE)]
        self._fixed = [_Bundle(fixed[i : i + AT_ONCE]) for i in range(0, len(fixed), AT_ONCE)]

    def find(self, texts: Sequence[str], found: Found) -> None:
        """See the module."""
        there = range(len(texts))
        texts = [sound(text) for text in texts]
        for bundle in self._fixed:
            for i in there:
                if tests := bundle.tests(texts[i]):
                    found[i].update(tests)
        for bundle in self._loose:
            _halve(bundle, texts, there, found)


def _halve(bundle: _Bundle, texts: Sequence[str], there: Sequence[int], found: Found) -> None:
    """Look into ever smaller parts of the texts, as long as something is found there."""
    if not there or not (tests := bundle.tests("\n".join([texts[i] for i in there]))):
        return
    if len(there) == 1:
        found[there[0]].update(tests)
        return
    half = len(there) // 2
    _halve(bundle, texts, there[:half], found)
    _halve(bundle, texts, there[half:], found)


ANCHORED: Final = re.compile(r"[\^$]|\\[AzZbB]")
"""What makes a regular expression find less in a text than in a longer one that holds it."""

CLASS: Final = re.compile(r"\[\^")


class _Bundle:
    """Some regular expressions as one."""

    def __init__(self, regexes: Sequence[tuple[int, ours.Pattern]]) -> None:
        import re2

        options = re2.Options()
        options.log_errors = False
        options.max_mem = REGEX_MEMORY
        self._tests = [test for test, _ in regexes]
        self._set: Any = re2.Set.SearchSet(options)
        for _, pattern in regexes:
            self._set.Add(pattern.regex)
        self._set.Compile()

    def tests(self, text: str) -> list[int]:
        """The tests whose expression is found in a text."""
        return [self._tests[number] for number in self._set.Match(text) or ()]


class Networks:
    """Address ranges: an address is read once for all of them."""

    def __init__(self, networks: Sequence[tuple[int, ours.Network]]) -> None:
        self._ranges: dict[int, list[tuple[bytes, bytes, int]]] = {AF_INET: [], AF_INET6: []}
        for test, network in networks:
            parsed = ip_network(network.cidr)
            family = AF_INET if parsed.version == 4 else AF_INET6
            self._ranges[family].append((parsed.network_address.packed, parsed.broadcast_address.packed, test))

    def find(self, texts: Sequence[str], found: Found) -> None:
        """See the module."""
        for i, text in enumerate(texts):
            family = AF_INET6 if ":" in text else AF_INET
            try:
                packed = inet_pton(family, text)
            except (OSError, ValueError):
                continue
            for first, last, test in self._ranges[family]:
                if first <= packed <= last:
                    found[i].add(test)


Single: TypeAlias = ours.Literal | ours.Wildcards | ours.Compare | ours.TimePart


class Singles:
    """Everything else: one alternative after the other."""

    def __init__(self, checks: Sequence[tuple[int, Single]]) -> None:
        self._checks = [(test, check_of(alternative)) for test, alternative in checks]

    def find(self, texts: Sequence[str], found: Found) -> None:
        """See the module."""
        for test, check in self._checks:
            for i, text in enumerate(texts):
                if check(text):
                    found[i].add(test)


def check_of(alternative: Single) -> Check:
    """A function that tells whether an alternative holds for a text that is there; case matters."""
    match alternative:
        case ours.Literal(text=text, place=place):
            fit = PLACED[place]
            return lambda value: fit(value, text)
        case ours.Wildcards():
            return glob(alternative)
        case ours.Compare(order=order, number=number):
            compare = ORDERS[order]
            return lambda value: bool(compare(_number(value), number))
        case ours.TimePart(unit=unit, number=number):
            part = TIME_PARTS[unit]
            return lambda value: part(value) == number


ORDERS: Final[Mapping[ours.Order, Callable[[Any, float], Any]]] = {
    "lt": lambda value, number: value < number,
    "lte": lambda value, number: value <= number,
    "gt": lambda value, number: value > number,
    "gte": lambda value, number: value >= number,
}
"""Comparisons of a number, or of an array of them, with a number."""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _part(read: Callable[[datetime], int]) -> Callable[[str], int | None]:
    def part(text: str) -> int | None:
        try:
            return read(datetime.fromtimestamp(float(text), UTC))
        except (ValueError, OverflowError, OSError):
            return None

    return part


TIME_PARTS: Final[Mapping[ours.TimeUnit, Callable[[str], int | None]]] = {
    "minute": _part(lambda moment: moment.minute),
    "hour": _part(lambda moment: moment.hour),
    "day": _part(lambda moment: moment.day),
    "week": _part(lambda moment: moment.isocalendar().week),
    "month": _part(lambda moment: moment.month),
    "year": _part(lambda moment: moment.year),
}
"""Parts of a moment that is written in epoch seconds."""
