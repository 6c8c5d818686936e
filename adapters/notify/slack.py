"""Slack: an incoming webhook that takes Block Kit messages.

https://api.slack.com/messaging/webhooks: the answer to a good message is 200 and the text `ok`.
"""

from __future__ import annotations

import json
from typing import Any

from adapters.notify.http import Poster
from adapters.notify.secret import read_secret
from adapters.notify.words import advice, details, headline
from agents.responder.notices import Notice, NotifyError
from config.alerts import SlackSettings

COLOURS = {"critical": ":red_circle:", "high": ":large_orange_circle:", "medium": ":large_yellow_circle:", "low": ""}


class Slack:
    """A channel of kind `slack`."""

    kind = "slack"

    def __init__(self, name: str, settings: SlackSettings) -> None:
        self.name = name
        self._settings = settings
        self._poster = Poster(timeout=settings.timeout, ca_file=settings.ca_file)

    def send(self, notice: Notice) -> str:
        """Post the message."""
        url = address(self._settings.url, read_secret(self._settings))
        answer = self._poster.post(url, json.dumps(message(notice)).encode(), {"Idempotency-Key": str(notice.key)})
        if answer.text.strip() != "ok":
            raise NotifyError("slack answered something else than `ok`: is the url that of an incoming webhook?")
        return "ok"

    def close(self) -> None:
        """Let go of the connection."""
        self._poster.close()


def address(base: str, secret: str) -> str:
    """The URL that a secret stands for: the whole of it, or its end."""
    return secret if secret.startswith(("http://", "https://")) else f"{base.rstrip('/')}/{secret.lstrip('/')}"


def message(notice: Notice) -> dict[str, Any]:
    """The message; within Slack's limits (header 150 characters, ten fields of 2,000)."""
    fields = [{"type": "mrkdwn", "text": f"*{name}*\n{escaped(value)[:1900]}"} for name, value in details(notice)[:10]]
    mark = COLOURS[notice.level]
    foot = f"{mark} `{escaped(advice(notice))}` alert {notice.key}".strip()
    return {
        "text": escaped(f"{mark} {headline(notice)}".strip()),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": headline(notice), "emoji": False}},
            {"type": "section", "fields": fields},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": foot}]},
        ],
    }


def escaped(text: str) -> str:
    """Text without what Slack reads as markup of its own.

    >>> escaped("<!channel> & co")
    '&lt;!channel&gt; &amp; co'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
