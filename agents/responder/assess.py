"""The risk of a threat: what the detector saw, on what kind of host, how sure, and what was said of it before.

Rules:
    1. A risk is the sum of its contributions, each of them in points on the scale 0-10 and with a reason in words.
    2. `detector` is the detector's own risk: kind of threat and strength of the evidence (behaviours, consensus).
    3. `rules` lifts it to what the gravest rule that matched is worth, if that is more.
    4. `asset` adds or takes away by the value of what is at stake; 0 for an ordinary host.
    5. `history` adds for confirmed and takes away for dismissed threats of the same entity and topic (kind, and what it
       is about), the surer the verdicts the more. It takes nobody below the level at which incidents open: that is
       what exceptions are for.
    6. `company` lifts what is nearly critical by `COMPANY`, where its incident holds another kind of threat too: one
       behaviour by itself is never critical.
    7. `confidence` ranks threats within a level; it lifts none into another.
    8. A threat is assessed again when its level would change or its risk moved by `MOVED`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import Final, NamedTuple

from agents.responder.assets import ORDINARY, Asset
from agents.responder.policy import Policy
from domain.facts.assessment import Contribution
from domain.values import KINDS, LEVELS, RULE_RISK, RuleLevel, ThreatKind, level_of

MOVED: Final = 0.5
"""Change of risk that is worth a new assessment."""

COMPANY: Final = 0.5
"""Points for another kind of threat in the same incident, for what comes to critical by them."""

PRIOR: Final = 2.0
"""Verdicts' worth of doubt: with as many verdicts as this, history counts half."""

CRITICAL: Final = LEVELS[0][0]

HALF: Final = 0.5
"""What a verdict of `partial` counts, as a confirmation."""


class Rule(NamedTuple):
    """A rule that matched, as far as the responder looks at it."""

    id: str
    title: str
    level: RuleLevel


@dataclass(frozen=True, slots=True)
class Past:
    """Last verdicts on threats of one entity and topic, summed by how sure the operators were.

    >>> Past(1.0, 0.0).share(), Past(0.0, 4.0).share(), Past(0.0, 0.1).share()
    (0.333, -0.667, -0.048)
    """

    confirmed: float = 0.0
    dismissed: float = 0.0

    def share(self) -> float:
        """From -1 (all dismissed, many times) to 1 (all confirmed)."""
        return round((self.confirmed - self.dismissed) / (self.confirmed + self.dismissed + PRIOR), 3)

    def plus(self, verdict: str, confidence: float) -> Past:
        """With one more verdict; a negative confidence takes one back."""
        right = {"correct": confidence, "partial": HALF * confidence}.get(verdict, 0.0)
        wrong = confidence if verdict == "incorrect" else 0.0
        return Past(round(max(0.0, self.confirmed + right), 6), round(max(0.0, self.dismissed + wrong), 6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What there is to be weighed.

    Attributes:
        risk, confidence: the detector's.
        rules: what matched.
        stake: the host at stake and what is known of it.
        past: verdicts on others of the same entity and topic.
        kind, entity: those of the threat, for the words.
        company: other kinds of threat in its incident.
    """

    risk: float
    confidence: float
    kind: ThreatKind
    entity: str = ""
    rules: tuple[Rule, ...] = ()
    stake: tuple[str, Asset] | None = None
    past: Past = Past()
    company: tuple[ThreatKind, ...] = ()


def assess(policy: Policy, case: Case) -> tuple[float, tuple[Contribution, ...]]:
    """The risk of a case and the contributions that add up to it; those of nothing are left out.

    >>> risk, parts = assess(Policy(), Case(risk=7.25, confidence=0.75, kind="beacon",
    ...     stake=("10.0.0.1", Asset(place="10.0.0.1", value=9.0, label="server"))))
    >>> risk, [(part.name, part.points) for part in parts]
    (8.15, [('detector', 7.25), ('asset', 0.8), ('confidence', 0.1)])
    >>> parts[0].says
    'kind beacon is worth 7 of 10, the strength of its evidence +0.25'
    """
    parts = [Contribution(name="detector", points=round(case.risk, 2), says=_seen(case))]
    for weigh in (_rules, _asset, _history, _company, _bounds, _confidence):
        part = weigh(policy, case, _sum(parts))
        if part is not None and part.points:
            parts.append(part)
    return _sum(parts), tuple(parts)


def moved(before: float, risk: float) -> bool:
    """Whether a risk has become another one, as far as anybody need be told."""
    return level_of(before) != level_of(risk) or abs(round(risk - before, 2)) >= MOVED


def _sum(parts: list[Contribution]) -> float:
    return round(fsum(part.points for part in parts), 2)


def _seen(case: Case) -> str:
    """What the detector's risk is made of, in words (see `domain.values.risk_of`)."""
    gravest = _gravest(case) if case.kind == "rule-match" else None
    base = KINDS[case.kind].risk if gravest is None else RULE_RISK[gravest.level]
    what = f"kind {case.kind}" if gravest is None else f"rule {gravest.title} of level {gravest.level}"
    return f"{what} is worth {base:g} of 10, the strength of its evidence {case.risk - base:+.2f}"


def _gravest(case: Case) -> Rule | None:
    return max(case.rules, key=lambda rule: (RULE_RISK[rule.level], rule.id), default=None)


def _rules(_: Policy, case: Case, so_far: float) -> Contribution | None:
    gravest = _gravest(case)
    if gravest is None or RULE_RISK[gravest.level] <= so_far:
        return None
    points = round(RULE_RISK[gravest.level] - so_far, 2)
    return Contribution(name="rules", points=points, says=f"rule {gravest.title} is of level {gravest.level}")


def _asset(policy: Policy, case: Case, _: float) -> Contribution | None:
    if case.stake is None:
        return None
    host, asset = case.stake
    points = round(policy.asset_points * (asset.value - ORDINARY) / ORDINARY, 2)
    label = f"a {asset.label}, " if asset.label else ""
    return Contribution(name="asset", points=points, says=f"{host} is {label}worth {asset.value:g} of 10")


def _history(policy: Policy, case: Case, so_far: float) -> Contribution | None:
    points = round(policy.history_points * case.past.share(), 2)
    if points < 0 and so_far >= policy.open_from:
        points = round(max(points, policy.open_from - so_far), 2)
    said = f"{case.past.confirmed:g} confirmed and {case.past.dismissed:g} dismissed"
    says = f"other {case.kind} threats of {case.entity}, by the weight of the verdicts: {said}"
    return Contribution(name="history", points=points, says=says)


def _company(_: Policy, case: Case, so_far: float) -> Contribution | None:
    if not case.company or not CRITICAL - COMPANY <= so_far < CRITICAL:
        return None
    return Contribution(name="company", points=COMPANY, says=f"its incident holds {', '.join(case.company)} as well")


def _bounds(_: Policy, __: Case, so_far: float) -> Contribution | None:
    within = min(max(so_far, 0.0), 10.0)
    return Contribution(name="bounds", points=round(within - so_far, 2), says="a risk lies between 0 and 10")


def _confidence(policy: Policy, case: Case, so_far: float) -> Contribution | None:
    wanted = policy.confidence_points * max(0.0, case.confidence - 0.5) / 0.5
    above = min((bound for bound, _ in LEVELS if bound > so_far), default=10.01)
    points = round(min(wanted, max(0.0, above - 0.01 - so_far)), 2)
    return Contribution(name="confidence", points=points, says=f"the evidence is {case.confidence:.0%} sure")
