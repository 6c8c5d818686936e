"""Channels: one small file a kind. All pass one contract suite against real local servers (tests/alerts).

Add one: its settings in `config.alerts` (`AnyChannel`), a file here, and a line in `make_channel`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from agents.responder.notices import Channel, NotifyError
from config.alerts import (
    AlertSettings,
    AnyChannel,
    PagerDutySettings,
    SlackSettings,
    SmtpSettings,
    SyslogSettings,
    TeamsSettings,
    WebhookSettings,
)

__all__ = ["doubts", "make_channel"]


def make_channel(name: str, settings: AnyChannel) -> Channel:
    """The channel that a part of the settings describes. Nothing is connected and no secret is read yet."""
    from adapters.notify.discreet import Discreet

    return Discreet(_of_kind(name, settings), settings)


def doubts(settings: AlertSettings) -> Iterator[str]:
    """What an operator should know before the first alert, a line each: secrets that are missing, rows without use."""
    from adapters.notify.secret import read_secret

    for name, channel in settings.channels.items():
        try:
            read_secret(channel)
        except NotifyError as error:
            yield f"channel {name} cannot work: {error}"
    yield from settings.doubts()


def _of_kind(name: str, settings: AnyChannel) -> Channel:
    from adapters.notify.pagerduty import PagerDuty
    from adapters.notify.slack import Slack
    from adapters.notify.smtp import Smtp
    from adapters.notify.syslog import Syslog
    from adapters.notify.teams import Teams
    from adapters.notify.webhook import Webhook

    match settings:
        case SlackSettings():
            return Slack(name, settings)
        case PagerDutySettings():
            return PagerDuty(name, settings)
        case TeamsSettings():
            return Teams(name, settings)
        case WebhookSettings():
            return Webhook(name, settings)
        case SmtpSettings():
            return Smtp(name, settings)
        case SyslogSettings():
            return Syslog(name, settings)
        case _:
            assert_never(settings)
