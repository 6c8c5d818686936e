"""PagerDuty: Events API v2. An incident of ours is one of theirs (`dedup_key`), and is resolved with it.

https://developer.pagerduty.com/docs/events-api-v2: the answer is 202 and `{"status": "success", ...}`.
"""

from __future__ import annotations

import json
from typing import Any, Final

from adapters.notify.http import Poster
from adapters.notify.secret import read_secret
from adapters.notify.words import advice, clean, details, headline
from agents.responder.notices import Notice, NotifyError
from config.alerts import PagerDutySettings
from domain.moments import rfc3339
from domain.values import Level

ACTIONS: Final = {"acknowledged": "acknowledge", "resolved": "resolve"}
"""Event action by what became of the incident; everything else is `trigger`."""

SEVERITY: Final[dict[Level, str]] = {"critical": "critical", "high": "error", "medium": "warning", "low": "info"}


class PagerDuty:
    """A channel of kind `pagerduty`."""

    kind = "pagerduty"

    def __init__(self, name: str, settings: PagerDutySettings) -> None:
        self.name = name
        self._settings = settings
        self._poster = Poster(timeout=settings.timeout, ca_file=settings.ca_file)

    def send(self, notice: Notice) -> str:
        """Enqueue the event; a test is resolved again at once, so that nobody is called for it twice."""
        key = read_secret(self._settings)
        answer = self._enqueue(event(notice, key))
        if notice.test:
            self._enqueue({**event(notice, key), "event_action": "resolve"})
        return answer

    def close(self) -> None:
        """Let go of the connection."""
        self._poster.close()

    def _enqueue(self, body: dict[str, Any]) -> str:
        answer = self._poster.post(f"{self._settings.url.rstrip('/')}/v2/enqueue", json.dumps(body).encode(), {})
        try:
            status = json.loads(answer.text)["status"]
        except (ValueError, KeyError, TypeError):
            status = None
        if status != "success":
            raise NotifyError("pagerduty answered something else than success: is the url that of the Events API v2?")
        return f"{body['event_action']} {body['dedup_key']}"


def event(notice: Notice, routing_key: str) -> dict[str, Any]:
    """The event."""
    return {
        "routing_key": routing_key,
        "event_action": ACTIONS.get(notice.trigger, "trigger"),
        "dedup_key": str(notice.incident),
        "client": "Myrmidon",
        "payload": {
            "summary": headline(notice, 1024),
            "source": clean(notice.entities[0]) if notice.entities else "myrmidon",
            "severity": SEVERITY[notice.level],
            "timestamp": rfc3339(notice.occurred_at),
            "component": notice.kinds[0] if notice.kinds else "incident",
            "group": clean(notice.region),
            "class": "security incident",
            "custom_details": {**dict(details(notice)), "Alert": str(notice.key), "Next": advice(notice)},
        },
    }
