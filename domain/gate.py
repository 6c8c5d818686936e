"""The action gate: every action of every agent, operator and drill passes it, or does not happen.

Rules:
    1. The checks of `CHECKS` run in order; the first that refuses ends it. One that asks waits for the others: nobody
       is asked for consent to what would be refused anyway.
    2. Nobody is above it: a person's consent answers the checks that ask, never one that refuses.
    3. What is on the never-block list stays reachable. A network counts as on it when the two share one address,
       whichever of them holds the other, and whatever way of writing hides the address (IPv4 inside IPv6).
    4. `last_look` holds the list against the action once more, just before the effect.

Pure: policy, request and what stands come in, a ruling comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from domain.facts.response import Action, Mode
from domain.targets import Network, inside, name_of, network_of, overlap, size, spellings, target_of
from domain.values import DAY, HOUR, LEVELS, Level, Micros

Outcome = Literal["allow", "ask", "refuse"]

ALWAYS_REACHABLE: Final[tuple[str, ...]] = (
    "127.0.0.0/8", "::1/128",                       # loopback
    "169.254.0.0/16", "fe80::/10",                  # link-local
    "224.0.0.0/4", "ff00::/8",                      # multicast
    "0.0.0.0/8", "::/128",                          # unspecified
    "255.255.255.255/32",                           # broadcast
    "localhost",
)  # fmt: skip
"""On every never-block list, whatever the settings say."""

PASSING: Final = frozenset({"blast-radius", "rate"})
"""Checks whose refusal passes by itself: when other actions end, or the hour is over."""

CAREFUL: Final[tuple[Mode, ...]] = ("observe", "suggest", "act")
"""The modes, the most careful first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """Which actions need a person's consent: every field that is not empty must fit.

    Attributes:
        verb: OpenC2 action ("contain").
        asset_class: class of the asset that the threat is about ("server").
        below: threats below this level; a grave one does not wait.
        inside: only actions on what lies inside our local networks.
    """

    verb: str = ""
    asset_class: str = ""
    below: Level | None = None
    inside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """What the gate holds actions against. A network counts as as many targets as it has addresses (IPv6: as /64s).

    Attributes:
        mode: `observe` records only, `suggest` waits for approval, `act` executes.
        never_block: networks, addresses and names that stay reachable, beside `ALWAYS_REACHABLE`.
        local_networks: what is ours: a share of it at most may be acted on at once.
        max_targets: distinct targets in force at once.
        max_targets_window: distinct targets within `window`.
        window: us.
        max_share: share of the hosts of ours in force at once (0-1); one host is always within it.
        rate: actions an hour.
        max_ttl: longest life of an action, us.
        approvals: what needs a person's consent.
    """

    mode: Mode = "observe"
    never_block: tuple[str, ...] = ()
    local_networks: tuple[str, ...] = ()
    max_targets: int = 20
    max_targets_window: int = 60
    window: Micros = HOUR
    max_share: float = 0.05
    rate: int = 60
    max_ttl: Micros = DAY
    approvals: tuple[ApprovalRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An action that wants to pass.

    Attributes:
        level, asset_class: of the threat, and of the asset that it is about.
        asks: whether the playbook itself asks for consent.
        consent: whether an operator gave it.
        undoes: (verb, target type) -> undo, of the actuator that would carry it out.
        mode: the mode of this moment, where an operator set a more careful one than the policy's.
    """

    action: Action
    level: Level
    asset_class: str
    asks: bool
    consent: bool
    undoes: Mapping[tuple[str, str], str]
    mode: Mode
    now: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is in force, or on its way there.

    Attributes:
        targets: what is acted on now (`target_of`).
        started: (when, target) of the actions of the last window and hour; no target where nothing was sent after all.
        hosts: how many hosts of ours are known.
    """

    targets: frozenset[str] = frozenset()
    started: tuple[tuple[Micros, str], ...] = ()
    hosts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What the gate says: the outcome, the check that decided it, and why."""

    outcome: Outcome
    check: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: its name, what it holds (for the documentation), and the look itself."""

    name: str
    says: str
    look: Callable[[GatePolicy, Request, Standing], Ruling | None]


def admit(policy: GatePolicy, request: Request, standing: Standing) -> Ruling:
    """Whether an action may be started: the first refusal, else the first question, else leave."""
    asked: Ruling | None = None
    for check in CHECKS:
        ruling = check.look(policy, request, standing)
        if ruling is not None and ruling.outcome == "refuse":
            return ruling
        asked = asked or ruling
    return asked or Ruling(outcome="allow")


def last_look(policy: GatePolicy, action: Action) -> Ruling:
    """The never-block list again, just before the effect."""
    return _never_block(policy, action) or Ruling(outcome="allow")


def more_careful(one: Mode, other: Mode) -> Mode:
    """The more careful of two modes.

    >>> more_careful("act", "suggest"), more_careful("observe", "act")
    ('suggest', 'observe')
    """
    return min(one, other, key=CAREFUL.index)


@lru_cache(maxsize=64)
def _listed(entries: tuple[str, ...]) -> tuple[tuple[Network, ...], frozenset[str]]:
    """Networks and names of a never-block list."""
    found = [(entry, network_of(entry)) for entry in (*ALWAYS_REACHABLE, *entries)]
    networks = tuple(network for _, network in found if network is not None)
    return networks, frozenset(name_of(entry) for entry, network in found if network is None)


def _never_block(policy: GatePolicy, action: Action) -> Ruling | None:
    networks, names = _listed(policy.never_block)
    network = network_of(action.target)
    if network is not None:
        hit = next((known for mine in spellings(network) for known in networks if overlap(mine, known)), None)
        return None if hit is None else _refuse("never-block", f"{action.target} takes in {hit}: it stays reachable")
    name = name_of(action.target)
    if not name or action.target_type.startswith(("ipv4", "ipv6")) or _numeric(name):
        return _refuse("never-block", f"{action.target!r} is no address, network or name that can be looked up")
    known = next((known for known in names if _within(name, known) or _within(known, name)), None)
    return None if known is None else _refuse("never-block", f"{action.target} takes in {known}: it stays reachable")


def _within(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def _numeric(name: str) -> bool:
    """Whether a name is an address in disguise (2130706433, 0x7f.1): resolvers take those for addresses."""
    last = name.rsplit(".", 1)[-1]
    return last.isdigit() or last.startswith("0x")


def _refuse(check: str, reason: str) -> Ruling:
    return Ruling(outcome="refuse", check=check, reason=reason)


def _mode(policy: GatePolicy, request: Request, standing: Standing) -> Ruling | None:
    del standing
    mode = more_careful(policy.mode, request.mode)
    if mode == "observe":
        return _refuse("mode", "the mode is observe: what would be done is recorded, and not done")
    if mode == "suggest" and not request.consent:
        return Ruling(outcome="ask", check="mode", reason="the mode is suggest: an operator has to approve")
    return None


def _reversible(policy: GatePolicy, request: Request, standing: Standing) -> Ruling | None:
    del policy, standing
    action = request.action
    undo = request.undoes.get((action.verb, action.target_type))
    if not undo or undo != action.undo:
        what = f"{action.actuator} knows no undo {action.undo!r} of {action.verb} {action.target_type}"
        return _refuse("reversibility", f"{what}: only what can be taken back is done")
    return None


def _radius(policy: GatePolicy, request: Request, standing: Standing) -> Ruling | None:
    key = target_of(request.action)
    if key in standing.targets:
        return None  # it is in force already: no further target is touched
    in_force = {*standing.targets, key}
    lately = {known for at, known in standing.started if known and request.now - at < policy.window} | in_force
    for count, limit, what in (
        (_weight(in_force), policy.max_targets, "targets would be in force at once"),
        (_weight(lately), policy.max_targets_window, "targets would have been acted on within the window"),
    ):
        if count > limit:
            return _refuse("blast-radius", f"{count:,} {what}; at most {limit:,} may be")
    ours = _weight(_inside(policy, in_force))
    share = max(1, int(policy.max_share * standing.hosts))
    if ours > share and _inside(policy, {key}):
        known = f"{ours:,} of {standing.hosts:,} known hosts of ours (response.hosts) would be acted on"
        return _refuse("blast-radius", f"{known}; at most {share:,} may be")
    return None


def _weight(keys: set[str]) -> int:
    networks = (network_of(key) for key in keys)
    return sum(1 if network is None else size(network) for network in networks)


def _inside(policy: GatePolicy, keys: set[str]) -> set[str]:
    """Targets that lie among our own hosts."""
    return {key for key in keys if inside(policy.local_networks, key)}


def _rate(policy: GatePolicy, request: Request, standing: Standing) -> Ruling | None:
    lately = sum(request.now - at < HOUR for at, _ in standing.started)
    if lately >= policy.rate:
        return _refuse("rate", f"{lately:,} actions were started within the hour; at most {policy.rate:,} may be")
    return None


def _ttl(policy: GatePolicy, request: Request, standing: Standing) -> Ruling | None:
    del standing
    ttl = request.action.ttl
    if ttl <= 0:
        return _refuse("ttl", "it has no time to live: what does not end by itself is not begun")
    if ttl > policy.max_ttl:
        return _refuse("ttl", f"its time to live of {ttl // 1_000_000:,} s is beyond {policy.max_ttl // 1_000_000:,} s")
    return None


def _approval(policy: GatePolicy, request: Request, standing: Standing) -> Ruling | None:
    del standing
    if request.consent:
        return None
    if request.asks:
        return Ruling(outcome="ask", check="approval", reason="the playbook asks for a person's consent")
    rule = next((rule for rule in policy.approvals if _asked_by(policy, rule, request)), None)
    if rule is None:
        return None
    below, where = f"below {rule.below}" if rule.below else "", "of what is ours" if rule.inside else ""
    parts = (rule.verb, rule.asset_class, where, below)
    what = " ".join(part for part in parts if part) or "always"
    return Ruling(outcome="ask", check="approval", reason=f"the policy asks for a person's consent ({what})")


def _asked_by(policy: GatePolicy, rule: ApprovalRule, request: Request) -> bool:
    ranks = [level for _, level in LEVELS]
    return (
        rule.verb in {"", request.action.verb}
        and rule.asset_class in {"", request.asset_class}
        and (not rule.inside or inside(policy.local_networks, request.action.target))
        and (rule.below is None or ranks.index(request.level) > ranks.index(rule.below))
    )


CHECKS: Final[tuple[Check, ...]] = (
    Check(
        name="never-block",
        says="refuses a target that shares an address with the never-block list: this machine and what it needs, "
        "management networks, loopback, link-local, multicast, unspecified",
        look=lambda policy, request, _: _never_block(policy, request.action),
    ),
    Check(name="mode", says="`observe` refuses, `suggest` asks a person, `act` goes on", look=_mode),
    Check(name="reversibility", says="refuses what its actuator cannot take back", look=_reversible),
    Check(
        name="blast-radius",
        says="refuses one target too many: in force at once, within the window, and as a share of our hosts",
        look=_radius,
    ),
    Check(name="rate", says="refuses more actions an hour than the limit", look=_rate),
    Check(name="ttl", says="refuses an action without an end, or with one beyond the limit", look=_ttl),
    Check(
        name="approval",
        says="asks a person where the policy or the playbook wants it (by default: to contain below critical, and to "
        "deny what lies inside the local networks); no answer means no action",
        look=_approval,
    ),
)
"""The checks in their order. The never-block list is looked at once more just before the effect (`last_look`)."""
