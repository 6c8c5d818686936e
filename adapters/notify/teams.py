"""Microsoft Teams: an Adaptive Card to a webhook of Workflows.

https://learn.microsoft.com/connectors/teams: the answer is 202 (200 of older connectors), whatever it says.
"""

from __future__ import annotations

import json
from typing import Any, Final

from adapters.notify.http import Poster
from adapters.notify.secret import read_secret
from adapters.notify.slack import address
from adapters.notify.words import advice, details, headline
from agents.responder.notices import Notice, NotifyError
from config.alerts import TeamsSettings
from domain.values import Level

COLOURS: Final[dict[Level, str]] = {"critical": "attention", "high": "attention", "medium": "warning", "low": "default"}


class Teams:
    """A channel of kind `teams`."""

    kind = "teams"

    def __init__(self, name: str, settings: TeamsSettings) -> None:
        self.name = name
        self._settings = settings
        self._poster = Poster(timeout=settings.timeout, ca_file=settings.ca_file)

    def send(self, notice: Notice) -> str:
        """Post the card."""
        url = address(self._settings.url, read_secret(self._settings))
        answer = self._poster.post(url, json.dumps(message(notice)).encode(), {"Idempotency-Key": str(notice.key)})
        if answer.text.lstrip().startswith("<"):
            raise NotifyError("teams answered a web page: is the url that of a Workflows webhook?")
        return f"{answer.status}"

    def close(self) -> None:
        """Let go of the connection."""
        self._poster.close()


def message(notice: Notice) -> dict[str, Any]:
    """The message with its card."""
    title = {"type": "TextBlock", "text": headline(notice), "wrap": True, "weight": "bolder", "size": "medium"}
    facts = [{"title": name, "value": value} for name, value in details(notice)]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {**title, "color": COLOURS[notice.level]},
            {"type": "FactSet", "facts": facts},
            {"type": "TextBlock", "text": advice(notice), "wrap": True, "fontType": "monospace", "size": "small"},
            {"type": "TextBlock", "text": f"Alert {notice.key}", "isSubtle": True, "size": "small"},
        ],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}
