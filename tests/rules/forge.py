"""Records made from rules: such that a rule matches them, or just misses them."""

from __future__ import annotations

import random
from typing import Any

from engine.frame import Frame
from engine.rules import conditions as ours
from engine.rules.sigma import Rule
from tests.engine.rows import OUTSIDE, Rows

WORDS = ("alpha", "beta", "gamma", "delta")
CANONICAL = {"src_ip", "dst_ip", "src_port", "dst_port", "proto", "conn_state", "service"}
NUMBERS = {"src_port", "dst_port", "duration", "src_bytes", "dst_bytes", "src_pkts", "dst_pkts"}


def text_for(alternative: ours.Alternative, dice: random.Random) -> str | None:
    """A value for which an alternative holds; None when there is no simple one."""
    word = dice.choice(WORDS)
    match alternative:
        case ours.Literal(text=text, place=place):
            varied = text if text in {"true", "false"} else "".join(dice.choice((c.upper(), c)) for c in text)
            return {"exact": varied, "start": varied + word, "end": word + varied, "inside": f"{word}{varied}{word}"}[
                place
            ]
        case ours.Wildcards(pieces=pieces):
            return (
                word + dice.choice(("", word)).join("".join(part or "q" for part in piece) for piece in pieces) + word
            )
        case ours.Network(cidr=cidr):
            return cidr.partition("/")[0]
        case ours.Compare(order=order, number=number):
            return str(int(number) + {"lt": -1, "lte": 0, "gt": 1, "gte": 0}[order])
        case _:
            return None


def wishes(condition: ours.Condition, dice: random.Random) -> list[tuple[ours.Field, str]]:
    """Values that make a condition hold, as far as they can be wished for one by one."""
    match condition:
        case ours.Test(field=field, any_of=alternatives):
            text = text_for(dice.choice(alternatives), dice)
            return [] if text is None else [(field, text)]
        case ours.All(parts=parts):
            return [wish for part in parts for wish in wishes(part, dice)]
        case ours.Any(parts=parts):
            return wishes(dice.choice(parts), dice)
        case ours.Not(part=part):
            return wishes(part, dice) if dice.random() < 0.3 else []
        case _:
            return []


def record(rule: Rule, dice: random.Random) -> dict[str, Any]:
    """Canonical columns and detail of a record that has most of what a rule asks for."""
    values: dict[str, str] = {}
    for field, text in wishes(rule.condition, dice):
        if dice.random() < 0.12:
            continue
        before = values.get(field.column, "")
        if field.view == "query":
            values[field.column] = f"{before}?{text}"
        elif field.view == "extension":
            values[field.column] = f"{before}/x.{text}"
        else:
            values[field.column] = before + text if dice.random() < 0.5 else text + before
    return values


def forged(rules: list[Rule], *, each: int, seed: int) -> Frame:
    """A frame with so many records made from each rule."""
    dice = random.Random(seed)
    rows = Rows()
    for number, rule in enumerate(rule for rule in rules for _ in range(each)):
        values = record(rule, dice)
        url = values.pop("url", "")
        if url:
            values |= {"uri": url} if "://" in url else {"host": "site.example", "uri": "/" + url.lstrip("/")}
        values.pop("*", None)
        own = {name: int(value) if name in NUMBERS and value.isdigit() else value for name, value in values.items()}
        canonical = CANONICAL if rule.source.log == "conn" else CANONICAL - {"service", "conn_state"}
        flow = {name: own[name] for name in canonical & own.keys() if (name in NUMBERS) == isinstance(own[name], int)}
        detail = {name: value for name, value in own.items() if name not in flow}
        if dice.random() < 0.5 and rule.source.log == "http":
            detail.setdefault("status_code", dice.choice((200, 404)))
            detail.setdefault("method", dice.choice(("GET", "POST")))
        flow.setdefault("dst_ip", OUTSIDE)
        rows.add(number * 0.01, log=rule.source.log, detail=detail if rule.source.log != "conn" else {}, **flow)
    return rows.frame()
