"""OpenC2 commands over HTTPS, for any consumer that takes them: a firewall, a DNS filter, an orchestrator.

Standards: OpenC2 Language Specification 1.0; Specification for Transfer of OpenC2 Messages via HTTPS 1.0 (OASIS).

Rules:
    1. Before an action the consumer is asked for its pairs of action and target (`query features`): no effect.
    2. The action's id is request id and command id, so that the consumer can tell a repetition; `stop_time` tells
       it when to let go by itself.
    3. Done is what it answers 200 to, in HTTP and in the message. Anything else is an error that says what came.
    4. Whether an action is in force is asked by `query` with the action's own target, and which one in
       `args["x-myrmidon"]`; the consumer answers in `results["x-myrmidon"]["in_force"]`. One that cannot answer is an
       error: nobody knows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from adapters.act.options import binding, options_of, token_of
from adapters.act.targets import TICKET, UNDOES, TargetError, target_of
from adapters.act.web import Caller, refusal
from agents.responder.ports import ActuatorError, Effect
from config.actuators import OpenC2Settings
from domain.facts.response import Action
from domain.values import Micros

SENT: Final = "application/openc2-cmd+json;version=1.0"
WANTED: Final = "application/openc2-rsp+json;version=1.0"
OWN: Final = "x-myrmidon"
Json = dict[str, Any]


class OpenC2:
    """One consumer."""

    undoes: Mapping[tuple[str, str], str] = MappingProxyType(
        {pair: undo for pair, undo in UNDOES.items() if pair[1] != TICKET}
    )

    def __init__(self, name: str, options: OpenC2Settings, token: str = "") -> None:
        self.name: Final = name
        self.binding: Final = binding("openc2-http", options.url)
        self._url = options.url
        self._sender = options.sender
        self._caller = Caller(name, options.url, timeout=options.timeout, ca_file=options.ca_file, token=token)

    def probe(self) -> None:
        """Ask the consumer for its features: it is there, trusted, and lets us in."""
        self._done(uuid4(), _command("query", {"features": []}))

    def check(self, action: Action) -> None:
        """Ask the consumer which commands it takes."""
        target = self._target(action)
        results = self._done(_request("check", action), _command("query", {"features": ["pairs"]}))
        pairs = results.get("pairs")
        if pairs is None:
            return  # it took the question and does not say: the action itself will tell
        if not isinstance(pairs, dict) or next(iter(target)) not in (pairs.get(action.verb) or ()):
            raise ActuatorError(f"{self.name}: {self._url}: does not take {action.verb} {action.target_type}")

    def execute(self, action: Action, expires_at: Micros) -> str:
        """Send the command; the consumer lets go by itself at `stop_time`."""
        command = _command(action.verb, self._target(action), stop_time=expires_at // 1000)
        self._done(action.action, {**command, "command_id": str(action.action)})
        return f"{self._url} did {action.verb} {action.target_type} {action.target}"

    def effect(self, action: Action) -> Effect:
        """Ask the consumer."""
        about = {OWN: {"action": action.verb, "command_id": str(action.action)}}
        results = self._done(_request("effect", action), _command("query", self._target(action), **about))
        own = results.get(OWN)
        told = own.get("in_force") if isinstance(own, dict) else None
        if not isinstance(told, bool):
            raise ActuatorError(
                f"{self.name}: {self._url}: does not tell whether {action.target} is in force "
                f'(results["{OWN}"]["in_force"]): nobody knows'
            )
        return Effect(in_force=told, evidence=f"{self._url} says so")

    def undo(self, action: Action) -> str:
        """Send the command that takes it back."""
        request = _request("undo", action)
        self._done(request, {**_command(action.undo, self._target(action)), "command_id": str(request)})
        return f"{self._url} did {action.undo} {action.target_type} {action.target}"

    def _target(self, action: Action) -> Json:
        if (action.verb, action.target_type) not in self.undoes:
            raise ActuatorError(f"{self.name}: cannot {action.verb} {action.target_type}; see docs/actuators.md")
        try:
            return {action.target_type: target_of(action)}
        except TargetError as error:
            raise ActuatorError(f"{self.name}: {error}") from None

    def _done(self, request: UUID, command: Json) -> Json:
        """Send a command and return its results, if it was done."""
        headers = {
            "Content-Type": SENT,
            "Accept": WANTED,
            "X-Request-ID": str(request),
            "Date": formatdate(time.time(), usegmt=True),
            "From": self._sender,
        }
        answer = self._caller.exchange("POST", self._url, headers, json.dumps(command).encode())
        if answer.status != 200:
            said = _spoken(answer.body)
            raise refusal(answer.status)(
                f"{self.name}: {self._url}: answered {answer.status} to {command['action']}{said}"
            )
        message = _message(answer.body)
        if message is None:
            raise ActuatorError(f"{self.name}: {self._url}: answered nonsense: nobody knows whether it was done")
        if message["status"] != 200:
            said = _spoken(answer.body)
            raise refusal(message["status"])(
                f"{self.name}: {self._url}: says {message['status']} to {command['action']}{said}"
            )
        results = message.get("results")
        return results if isinstance(results, dict) else {}


def _request(what: str, action: Action) -> UUID:
    """Id of a request about an action."""
    return uuid5(action.action, what)


def _command(verb: str, target: Json, **args: Any) -> Json:
    return {"action": verb, "target": target, "args": {**args, "response_requested": "complete"}}


def _message(body: bytes) -> Json | None:
    """The response, alone (transfer 1.0) or in a message (1.1); None when it is neither."""
    try:
        found = json.loads(body)
        if isinstance(found, dict) and "body" in found:
            found = found["body"]["openc2"]["response"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    right = isinstance(found, dict) and isinstance(found.get("status"), int)
    return found if right else None


def _spoken(body: bytes) -> str:
    """What a refusal says in words, if it does."""
    message = _message(body)
    text = message.get("status_text") if message else None
    return f" ({text[:200]})" if isinstance(text, str) and text else ""


def build(name: str, options: Mapping[str, Any], home: Path) -> OpenC2:
    """The consumer as `[actuators.NAME]` says."""
    del home  # the consumer keeps the record
    given = options_of(OpenC2Settings, name, options)
    return OpenC2(name, given, token_of(name, given))
