"""Finders give what looking one by one gives."""

from __future__ import annotations

import re
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.rules.conditions import Literal, Network, Pattern, Wildcards
from engine.rules.finders import Literals, Networks, Regexes, glob

LETTERS = st.text("abA.", max_size=6)
PIECE = st.lists(st.one_of(st.none(), st.text("ab", min_size=1, max_size=3)), min_size=1, max_size=3).map(tuple)
WILDCARDS = st.builds(
    Wildcards, st.lists(PIECE, min_size=1, max_size=4).map(tuple), open_start=st.booleans(), open_end=st.booleans()
)


def as_regex(wildcards: Wildcards) -> re.Pattern[str]:
    body = ".*".join("".join("." if part is None else re.escape(part) for part in piece) for piece in wildcards.pieces)
    return re.compile(f"{'.*' * wildcards.open_start}{body}{'.*' * wildcards.open_end}", re.DOTALL)


@settings(max_examples=150, deadline=None)
@given(WILDCARDS, st.text("abc", max_size=12))
def test_wildcards_fit_what_the_regular_expression_of_the_same_meaning_fits(wildcards, text):
    assert glob(wildcards)(text) is (as_regex(wildcards).fullmatch(text) is not None)


PLACES = st.sampled_from(["exact", "start", "end", "inside"])


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.one_of(st.builds(Literal, st.text("ab\x00", min_size=1, max_size=4), PLACES), WILDCARDS), max_size=6),
    st.lists(st.text("abA\x00\n\ud800", max_size=10), max_size=6),
)
def test_literals_are_found_together_where_each_stands(literals, texts):
    found: defaultdict[int, set[int]] = defaultdict(set)
    Literals(list(enumerate(literals))).find(texts, found)
    fits = {
        "exact": str.__eq__, "start": str.startswith, "end": str.endswith, "inside": str.__contains__
    }  # fmt: skip
    for i, text in enumerate(texts):
        for number, literal in enumerate(literals):
            low = text.lower()
            holds = fits[literal.place](low, literal.text) if isinstance(literal, Literal) else bool(glob(literal)(low))
            assert (number in found[i]) is holds


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(["ab", "a+b", "^a", "b$", "a.b", "[^a]b", r"\bab\b", "(?i)AB"]), max_size=6),
       st.lists(st.text("ab \n", max_size=8), max_size=8))  # fmt: skip
def test_regular_expressions_are_found_together_where_each_is_found(regexes, texts):
    import re2

    found: defaultdict[int, set[int]] = defaultdict(set)
    Regexes([(number, Pattern(regex)) for number, regex in enumerate(regexes)]).find(texts, found)
    for i, text in enumerate(texts):
        assert found[i] == {number for number, regex in enumerate(regexes) if re2.compile(regex).search(text)}


def test_networks_hold_their_addresses_and_nothing_else():
    networks = [Network("10.0.0.0/8"), Network("fc00::/7"), Network("203.0.113.7/32")]
    texts = ["10.255.0.1", "11.0.0.1", "fd00::1", "203.0.113.7", "host", "10.0.0", "::ffff:10.0.0.1", ""]
    found: defaultdict[int, set[int]] = defaultdict(set)
    Networks(list(enumerate(networks))).find(texts, found)
    assert dict(found) == {0: {0}, 2: {1}, 3: {2}}
