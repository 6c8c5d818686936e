"""Tickets: one is opened for a person to look, and closed when the action is taken back.

Rules:
    1. JSON by POST with the header `Idempotency-Key`: the action's id, `<id>-close` to close. A repetition opens no
       second ticket where the other side knows the header.
    2. What it calls the ticket (`id`, `key` or `number` of its answer) is kept in the home, for closing it.
    3. Whether a ticket is open is asked at `status_url`; without one, what was acknowledged last counts, and the
       evidence says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from adapters.act.dry_run import wall_clock
from adapters.act.options import SetupError, binding, options_of, token_of
from adapters.act.record import Done, Record
from adapters.act.targets import TICKET, UNDOES
from adapters.act.web import Answer, Caller, refusal
from agents.responder.ports import ActuatorError, Effect
from config.actuators import TicketSettings
from domain.facts.response import Action
from domain.moments import rfc3339
from domain.values import Micros

NAMES: Final = ("id", "key", "number")
"""Where an answer names the ticket, the first that is there."""

OVER: Final = frozenset({"closed", "resolved", "done", "cancelled"})
"""Words of a status for what is no longer open."""


class Tickets:
    """One ticket system."""

    undoes: Mapping[tuple[str, str], str] = MappingProxyType(
        {pair: undo for pair, undo in UNDOES.items() if pair[1] == TICKET}
    )

    def __init__(
        self,
        name: str,
        options: TicketSettings,
        path: Path,
        token: str = "",
        clock: Callable[[], Micros] = wall_clock,
    ) -> None:
        self.name: Final = name
        self.binding: Final = binding("ticket", options.url)
        self._options = options
        self._record = Record(path)
        self._clock = clock
        self._caller = Caller(name, options.url, timeout=options.timeout, ca_file=options.ca_file, token=token)
        for url in (options.close_url, options.status_url):
            if url and not url.startswith(options.url.split("://")[0] + "://"):
                raise SetupError(f"setting actuators.{name}: {url} must begin like {options.url}")
            if url:
                Caller(name, _filled(url, "0", "0"), timeout=options.timeout, ca_file=options.ca_file)

    def check(self, action: Action) -> None:
        """Whether it is a ticket at all: asking more would open one."""
        if (action.verb, action.target_type) not in self.undoes:
            raise ActuatorError(f"{self.name}: opens tickets only, and cannot {action.verb} {action.target_type}")

    def execute(self, action: Action, expires_at: Micros) -> str:
        """Open the ticket."""
        self.check(action)
        if (known := self._record.get(action.action)) is not None:
            return f"ticket {known.reference or 'without a name'} is open"
        told = {
            "event": "open",
            "action": str(action.action),
            "title": f"Look at {action.target}",
            "target": action.target,
            "step": action.step,
            "closes_at": rfc3339(expires_at),
        }
        answer = self._post(self._options.url, told, str(action.action))
        ticket = _named(answer.body)
        self._record.put(action.action, Done(what="ticket", expires_at=expires_at, reference=ticket), self._clock())
        return f"opened ticket {ticket or 'without a name'}"

    def effect(self, action: Action) -> Effect:
        """Ask whether it is open; or say what was acknowledged."""
        known = self._record.get(action.action)
        if known is None:
            return Effect(in_force=False, evidence="no ticket is on record for this action")
        name = known.reference or "without a name"
        if not self._options.status_url:
            return Effect(in_force=True, evidence=f"ticket {name} was acknowledged and not closed by us; not looked up")
        url = self._url(self._options.status_url, action, known)
        answer = self._caller.exchange("GET", url, {"Accept": "application/json"}, None)
        if answer.status == 404:
            return Effect(in_force=False, evidence=f"{url}: there is no such ticket")
        status = _word(answer.body, "status")
        if answer.status != 200 or not status:
            raise ActuatorError(f"{self.name}: {url}: answered {answer.status} without a status: nobody knows")
        return Effect(in_force=status.lower() not in OVER, evidence=f"ticket {name} is {status}")

    def undo(self, action: Action) -> str:
        """Close the ticket."""
        known = self._record.get(action.action)
        if known is None:
            return "no ticket is on record for this action"
        told = {"event": "close", "action": str(action.action), "ticket": known.reference, "target": action.target}
        url = self._url(self._options.close_url or self._options.url, action, known)
        self._post(url, told, f"{action.action}-close", gone=True)
        self._record.drop(action.action)
        return f"closed ticket {known.reference or 'without a name'}"

    def remembers(self, action: Action) -> bool:
        """Whether a ticket is on record for it."""
        return self._record.get(action.action) is not None

    def _post(self, url: str, told: Mapping[str, str], key: str, *, gone: bool = False) -> Answer:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Idempotency-Key": key}
        answer = self._caller.exchange("POST", url, headers, json.dumps(told).encode())
        if 200 <= answer.status < 300 or (gone and answer.status in {404, 410}):
            return answer
        raise refusal(answer.status)(f"{self.name}: {url}: answered {answer.status} to {told['event']}")

    def _url(self, template: str, action: Action, known: Done) -> str:
        return _filled(template, known.reference, str(action.action))


def _filled(template: str, ticket: str, action: str) -> str:
    return template.replace("{ticket}", quote(ticket, safe="")).replace("{action}", action)


def _named(body: bytes) -> str:
    return next((found for name in NAMES if (found := _word(body, name))), "")


def _word(body: bytes, name: str) -> str:
    """A text or number of an answer; empty when it is not there."""
    try:
        found = json.loads(body).get(name)
    except (ValueError, AttributeError, RecursionError):
        return ""
    return str(found)[:200] if isinstance(found, str | int) and not isinstance(found, bool) else ""


def build(name: str, options: Mapping[str, Any], home: Path) -> Tickets:
    """The ticket system as `[actuators.NAME]` says; its record is `actuators/NAME.json` in the home."""
    given = options_of(TicketSettings, name, options)
    return Tickets(name, given, home / "actuators" / f"{name}.json", token_of(name, given))
