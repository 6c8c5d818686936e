"""Every fact survives the codec, and what cannot is refused aloud."""

from __future__ import annotations

import math
import typing
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.log import codec
from adapters.log.codec import UPCASTERS, CodecError, decode, decode_tags, encode, encode_tags
from domain.events import FACTS, VERSIONS, Fact
from domain.facts.incident import NoteAdded
from domain.facts.threat import ThreatContinued, VerdictGiven
from domain.sighting import Feature, Vote
from tests.log.story import note

INT64 = st.integers(-(2**63), 2**63 - 1)


def strategy(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type annotation."""
    if is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{field.name: strategy(hints[field.name]) for field in fields(hint)})
    if hint is int:
        return INT64
    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return st.lists(strategy(args[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(strategy(args[0]), strategy(args[1]), max_size=3)
    if args and origin is not typing.Literal:
        return st.one_of([strategy(each) for each in args])
    return st.from_type(hint) if hint is not str else st.text()


@pytest.mark.parametrize("kind", sorted(FACTS))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_fact_survives_the_codec(kind: str, data: st.DataObject) -> None:
    fact: Fact = data.draw(strategy(FACTS[kind]))
    body = encode(fact)
    again = decode(kind, VERSIONS[kind], body)
    assert again == fact
    assert type(again) is type(fact)
    assert encode(again) == body


def threat(**changes: Any) -> ThreatContinued:
    made = ThreatContinued(
        threat=note(1).event_id,
        entity="10.0.0.1",
        threat_kind="beacon",
        title="t",
        score=1.0,
        risk=7.0,
        level="high",
        confidence=0.5,
        techniques=(),
        rules=(),
        detail="",
        last_seen=1,
        peers=(),
        votes=(Vote(model="m", version="1", p=None, vote=True),),
        features=(),
        flow_count=0,
        flows=(),
        row=1,
        first_seen=1,
    )
    return replace(made, **changes)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "place",
    [
        lambda x: ("score", x),
        lambda x: ("votes", (Vote(model="m", version="1", p=x, vote=True),)),
        lambda x: ("features", (Feature(name="n", value=1.0, baseline=x),)),
        lambda x: ("features", (Feature(name="n", value=x),)),
    ],
)
def test_a_float_that_is_not_finite_is_refused_and_named(place: Any, bad: float) -> None:
    field, value = place(bad)
    with pytest.raises(CodecError, match=f"a threat-continued holds a float in {field} that is not finite"):
        encode(threat(**{field: value}))


def test_an_absent_p_value_is_no_nan() -> None:
    fact = threat()
    assert b'"p":null' in encode(fact)
    assert decode("threat-continued", 1, encode(fact)) == fact


def test_the_word_null_in_a_text_is_no_nan() -> None:
    fact = NoteAdded(incident=note(1).event_id, text="null")
    assert decode("note-added", 1, encode(fact)) == fact


def test_half_a_surrogate_is_refused() -> None:
    with pytest.raises(CodecError, match="note-added cannot be written"):
        encode(NoteAdded(incident=note(1).event_id, text="\ud800"))


@pytest.mark.parametrize(("kind", "version"), [("no-such-kind", 1), ("note-added", 2), ("note-added", 0)])
def test_an_unknown_kind_or_version_is_an_error(kind: str, version: int) -> None:
    with pytest.raises(CodecError, match=f"knows no '{kind}' in schema version {version}"):
        decode(kind, version, encode(note(1).fact))


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"\xff", b'{"incident":"x","text":"y"}', b"[1]"])
def test_a_body_that_does_not_fit_is_an_error(body: bytes) -> None:
    with pytest.raises(CodecError, match="does not fit"):
        decode("note-added", 1, body)


def test_a_class_that_only_claims_a_kind_is_refused() -> None:
    class Impostor:
        kind = "note-added"

    with pytest.raises(CodecError, match="Impostor"):
        encode(Impostor())  # type: ignore[arg-type]


def test_an_old_body_is_lifted_version_by_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERSIONS, "verdict-given", 3)
    monkeypatch.setitem(UPCASTERS, ("verdict-given", 1), lambda old: {**old, "confidence": old["sure"] / 100})
    monkeypatch.setitem(UPCASTERS, ("verdict-given", 2), lambda old: {**old, "correction": ""})
    threat_id = note(1).event_id
    body = b'{"threat":"%s","verdict":"correct","sure":50}' % str(threat_id).encode()
    assert decode("verdict-given", 1, body) == VerdictGiven(
        threat=threat_id, verdict="correct", confidence=0.5, correction=""
    )


@given(st.lists(st.text(), max_size=4).map(tuple))
def test_tags_survive(tags: tuple[str, ...]) -> None:
    assert decode_tags(encode_tags(tags)) == tags


def test_every_past_version_of_every_kind_has_an_upcaster() -> None:
    past = {(kind, version) for kind, newest in VERSIONS.items() for version in range(1, newest)}
    assert past == set(codec.UPCASTERS)
