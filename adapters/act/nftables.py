"""The kernel's packet filter: addresses in sets whose elements time out, so that a block ends even if we are gone.

Rules:
    1. Every change is one transaction of JSON commands, checked with `nft --check` before it is applied.
    2. An element's comment names the actions that hold the address, each with its end ("1a2b3c4d@6915f000"): the
       address is let go when the last of them ends, and the kernel lets it go then by itself. Each one that is taken
       back is struck out, and with it whoever is not known to hold the address any more.
    3. The table is made anew, in the same transaction, whenever its rules are not those that they must be.
    4. A network namespace that cannot be entered tells nothing: it may live on without its name, with all its blocks.
    5. What is told about an effect was read back from the kernel.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from adapters.act.dry_run import wall_clock
from adapters.act.nft_rules import PURPOSES, Json, comments, put, setup, take
from adapters.act.options import binding, options_of
from adapters.act.targets import UNDOES, TargetError, host_of
from agents.responder.ports import ActuatorError, Effect, NotSent
from config.actuators import NftablesSettings
from domain.facts.response import Action
from domain.moments import rfc3339
from domain.values import SECOND, Micros

HOLDERS: Final = 7
"""Actions that can hold one address at once: a comment of the kernel has 127 characters."""

HOLDER: Final = re.compile(r"([0-9a-f]{8})@([0-9a-f]{1,9})")
ABSENT: Final = re.compile(r"Error: (Could not process rule: )?No such file or directory")
"""nft's own words for what is not in the kernel; `ip netns exec` says nearly the same of a namespace or a program."""

HINTS: Final = (
    ("Operation not permitted", "needs root (CAP_NET_ADMIN)"),
    ("Cannot open network namespace", "make the network namespace again, or correct netns"),
)


class Nftables:
    """Denies, contains, slows or watches single addresses."""

    undoes: Mapping[tuple[str, str], str] = MappingProxyType(
        {pair: undo for pair, undo in UNDOES.items() if pair[0] in PURPOSES and pair[1] in {"ipv4_net", "ipv6_net"}}
    )

    def __init__(self, name: str, options: NftablesSettings, clock: Callable[[], Micros] = wall_clock) -> None:
        self.name: Final = name
        self.binding: Final = binding("nftables", options.netns, options.table)
        self._options = options
        self._clock = clock

    def probe(self) -> None:
        """Ask the kernel for its tables."""
        done = self._call(["list", "tables"])
        if done.returncode:
            raise self._failed(done.stderr)

    def check(self, action: Action) -> None:
        """Have the kernel check the change without applying it."""
        where, host = self._place(action)
        element = self._element(where, host)
        self._apply(self._change(where, host, element, {_key(action): self._clock() // SECOND + 60}), dry=True)

    def execute(self, action: Action, expires_at: Micros) -> str:
        """Put the address into its set."""
        where, host = self._place(action)
        ends = -(-expires_at // SECOND)
        if ends <= self._clock() // SECOND:
            raise ActuatorError(f"{self.name}: {action.target}: was over before it began ({rfc3339(expires_at)})")
        self._hold(where, host, lambda held: {**held, _key(action): ends})
        return f"{host} is in {self._options.table} {where} until {rfc3339(ends * SECOND)}"

    def effect(self, action: Action) -> Effect:
        """Read the set, and the rules that look it up, back from the kernel."""
        where, host = self._place(action)
        ends = self._holders(where, host, self._element(where, host)).get(_key(action))
        if ends is None:
            return Effect(in_force=False, evidence=f"{host} is not in {self._options.table} {where} for this action")
        if not self._stands():
            return Effect(in_force=False, evidence=f"the rules of the table {self._options.table} are not in place")
        return Effect(
            in_force=True, evidence=f"{host} is in {self._options.table} {where} until {rfc3339(ends * SECOND)}"
        )

    def undo(self, action: Action) -> str:
        """Take the address out of its set, unless another action holds it."""
        where, host = self._place(action)
        left = self._hold(where, host, lambda held: {key: end for key, end in held.items() if key != _key(action)})
        return f"{host} stays in {where} for {len(left)} other actions" if left else f"{host} is out of {where}"

    def let_go(self, action: Action, stay: Sequence[UUID]) -> Effect:
        """Leave only those of `stay` as holders of the address, and read back who holds it now."""
        where, host = self._place(action)
        keep = {_digits(each) for each in stay}
        self._hold(where, host, lambda held: {key: end for key, end in held.items() if key in keep})
        left = self._holders(where, host, self._element(where, host))
        if not left:
            return Effect(in_force=False, evidence=f"{host} is not in {self._options.table} {where}")
        evidence = f"{host} is in {self._options.table} {where} for other actions: {', '.join(sorted(left))}"
        return Effect(in_force=not left.keys() <= keep, evidence=evidence)

    def _place(self, action: Action) -> tuple[str, str]:
        """The set and the address."""
        if (action.verb, action.target_type) not in self.undoes:
            raise ActuatorError(f"{self.name}: nftables cannot {action.verb} {action.target_type}")
        try:
            host = host_of(action)
        except TargetError as error:
            raise ActuatorError(f"{self.name}: {error}") from None
        return f"{PURPOSES[action.verb].name}{host.version}", str(host)

    def _hold(self, where: str, host: str, change: Callable[[dict[str, int]], dict[str, int]]) -> dict[str, int]:
        """Change who holds an address; twice when the kernel let it go in between."""
        for last in (False, True):
            element = self._element(where, host)
            held = self._holders(where, host, element)
            holders = change(held)
            if holders == held and (self._stands() if held else element is None):
                return holders
            try:
                commands = self._change(where, host, element, holders)
                self._apply(commands, dry=True)
                self._apply(commands)
            except ActuatorError as error:
                if last or not ABSENT.search(str(error)):
                    raise
            else:
                return holders
        raise AssertionError  # the second round returned or raised

    def _change(self, where: str, host: str, element: str | None, holders: Mapping[str, int]) -> list[Json]:
        """Commands that give the address these holders; `element` is what the kernel holds now."""
        now = self._clock() // SECOND
        if len(holders) > HOLDERS:
            raise ActuatorError(f"{self.name}: {host} is held by {HOLDERS} actions already; undo one of them")
        commands = [] if self._stands() else setup(self._options)
        if element is not None:
            commands.append(take(self._options, where, host))
        if holders:
            comment = " ".join(f"{key}@{end:x}" for key, end in sorted(holders.items()))
            seconds = max(1, max(holders.values()) - now)
            commands.append(put(self._options, where, host, seconds, comment))
        return commands

    def _holders(self, where: str, host: str, element: str | None) -> dict[str, int]:
        """Actions that hold the address and are not over, with their ends (seconds)."""
        if element is None:
            return {}
        comment = re.search(r'comment "([^"]*)"', element)
        found = HOLDER.findall(comment[1]) if comment else []
        if not found:
            raise ActuatorError(
                f"{self.name}: {host} was put into {self._options.table} {where} by somebody else; take it out there"
            )
        now = self._clock() // SECOND
        return {key: int(end, 16) for key, end in found if int(end, 16) > now}

    def _element(self, where: str, host: str) -> str | None:
        """What the kernel says of an element; None when it is not there."""
        done = self._call(["get", "element", "inet", self._options.table, where, "{", host, "}"])
        if done.returncode:
            if ABSENT.search(done.stderr):
                return None
            raise self._failed(done.stderr)
        return done.stdout

    def _stands(self) -> bool:
        """Whether the rules of the table are those that they must be."""
        done = self._call(["--json", "--terse", "list", "table", "inet", self._options.table])
        if done.returncode:
            if ABSENT.search(done.stderr):
                return False
            raise self._failed(done.stderr)
        found: dict[str, list[str]] = {chain: [] for chain in comments(self._options)}
        for part in json.loads(done.stdout)["nftables"]:
            if rule := part.get("rule"):
                found.setdefault(rule["chain"], []).append(rule.get("comment", ""))
        return found == comments(self._options)

    def _apply(self, commands: list[Json], *, dry: bool = False) -> None:
        if not commands:
            return
        words = ["--json", *(["--check"] if dry else []), "--file", "-"]
        done = self._call(words, json.dumps({"nftables": commands}))
        if done.returncode:
            raise self._failed(done.stderr)

    def _call(self, words: list[str], given: str = "") -> subprocess.CompletedProcess[str]:
        inside = ["ip", "netns", "exec", self._options.netns] if self._options.netns else []
        try:
            return subprocess.run(  # noqa: S603 - our own words: names and addresses that were checked
                [*inside, self._options.program, *words],
                input=given,
                capture_output=True,
                text=True,
                timeout=self._options.timeout,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
        except FileNotFoundError as error:
            raise NotSent(f"{self.name}: {error.filename} is not there; install nftables (and iproute2)") from None
        except subprocess.TimeoutExpired:
            raise ActuatorError(
                f"{self.name}: nft did not answer within {self._options.timeout:g} s: nobody knows what it did"
            ) from None
        except OSError as error:
            raise NotSent(f"{self.name}: nft cannot be run ({error.strerror})") from None

    def _failed(self, said: str) -> NotSent:
        """What nft refused: it changes everything that it is told, or nothing."""
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        what = lines[0] if lines else "it said nothing"
        hint = next((f"; {hint}" for sign, hint in HINTS if sign in said), "")
        return NotSent(f"{self.name}: nft refused: {what}{hint}")


def _key(action: Action) -> str:
    return _digits(action.action)


def _digits(action: UUID) -> str:
    """An action's first digits: enough among the few that hold one address."""
    return action.hex[:8]


def build(name: str, options: Mapping[str, Any], home: Path) -> Nftables:
    """The packet filter as `[actuators.NAME]` says."""
    del home  # the kernel keeps the record
    return Nftables(name, options_of(NftablesSettings, name, options))
