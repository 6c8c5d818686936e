"""Who is told of incidents: channels, rules and limits. docs/alerts.md explains them.

Secrets are never written here: a channel names an environment variable (`secret_env`) or a file (`secret_file`).
"""

from __future__ import annotations

import json
from hashlib import sha256
from ipaddress import ip_address
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from agents.responder.hours import Hours, parse_hours
from agents.responder.routes import Manners, Routing, Rule, networks_of
from agents.responder.shelf import Patience
from domain.values import MINUTE, SECOND, Level, ThreatKind

_STRICT = ConfigDict(extra="forbid", frozen=True)


class ChannelSettings(BaseModel):
    """What every channel has."""

    model_config = _STRICT

    secret_env: str = Field(default="", description="Environment variable that holds the secret.")
    secret_file: str = Field(default="", description="File that holds the secret; read anew for each alert.")
    ca_file: str = Field(default="", description="Certificates (PEM) to trust instead of the system's.")
    timeout: float = Field(default=10.0, gt=0.0, le=120.0, description="Seconds to wait for the receiver.")
    per_minute: float = Field(default=0.0, ge=0.0, description="Alerts a minute at most, in the long run. 0: no limit.")
    burst: int = Field(default=10, ge=1, description="Alerts at once at most.")
    quiet_hours: tuple[str, ...] = Field(
        default=(), description="Spans in which alerts wait: `22:00-07:00`, `sat,sun`, `mon-fri 12:00-13:00`."
    )
    quiet_critical_passes: bool = Field(default=True, description="Whether critical alerts go out in quiet hours.")
    follow_ups: bool = Field(default=False, description="Whether it is told that an incident was taken or is over.")

    def manners(self, zone: str) -> Manners:
        """The same for the router.

        Raises:
            ValueError: a span of hours cannot be read.
        """
        return Manners(
            per_minute=self.per_minute,
            burst=self.burst,
            quiet=_hours(self.quiet_hours, zone),
            critical_passes=self.quiet_critical_passes,
            follow_ups=self.follow_ups,
        )

    @model_validator(mode="after")
    def _one_secret(self) -> ChannelSettings:
        if self.secret_env and self.secret_file:
            raise ValueError("name the secret once: secret_env or secret_file")
        if self.needs_secret and not (self.secret_env or self.secret_file):
            raise ValueError("names no secret: set secret_env or secret_file")
        return self

    @property
    def needs_secret(self) -> bool:
        """Whether it cannot work without one."""
        return True


class WebSettings(ChannelSettings):
    """What every channel over HTTP has: an address that lets nobody on the way read the alerts."""

    url: str

    @field_validator("url")
    @classmethod
    def _usable(cls, url: str) -> str:
        if not url and cls.model_fields["url"].default == "":
            return url  # the secret holds the whole address
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("url is no web address: begin it with https://")
        if parts.scheme == "http" and not _near(parts.hostname):
            raise ValueError(f"url sends alerts to {parts.hostname} in plain text: begin it with https://")
        return url


class SlackSettings(WebSettings):
    """Slack, an incoming webhook. The secret is its URL, or the part after `services/`."""

    kind: Literal["slack"]
    url: str = "https://hooks.slack.com/services"
    per_minute: float = 30.0


class PagerDutySettings(WebSettings):
    """PagerDuty, Events API v2. The secret is the integration's routing key."""

    kind: Literal["pagerduty"]
    url: str = "https://events.pagerduty.com"
    per_minute: float = 60.0
    follow_ups: bool = True


class TeamsSettings(WebSettings):
    """Microsoft Teams, a webhook of Workflows. The secret is its URL, or the part after `url`."""

    kind: Literal["teams"]
    url: str = ""
    per_minute: float = 30.0


class WebhookSettings(WebSettings):
    """Any receiver of signed OCSF documents. The secret is the key of the signature."""

    kind: Literal["webhook"]
    url: str
    follow_ups: bool = True


class SmtpSettings(ChannelSettings):
    """E-mail. The secret is the password of `user`."""

    kind: Literal["smtp"]
    host: str
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    sender: str
    recipients: Annotated[tuple[str, ...], Field(min_length=1)]
    timeout: float = 30.0
    per_minute: float = 10.0

    @property
    def needs_secret(self) -> bool:
        """Only to log in."""
        return bool(self.user)


class SyslogSettings(ChannelSettings):
    """Syslog, RFC 5424. It has no secret."""

    kind: Literal["syslog"]
    host: str
    port: int = Field(default=0, ge=0, le=65535, description="0: 6514 with TLS, else 514.")
    transport: Literal["udp", "tcp", "tls"] = "tcp"
    facility: int = Field(default=16, ge=0, le=23, description="16 is local0.")
    follow_ups: bool = True

    @property
    def needs_secret(self) -> bool:
        """None."""
        return False


AnyChannel: TypeAlias = Annotated[
    SlackSettings | PagerDutySettings | TeamsSettings | WebhookSettings | SmtpSettings | SyslogSettings,
    Field(discriminator="kind"),
]


class RouteSettings(BaseModel):
    """A row of the routing table. An empty condition fits everything."""

    model_config = _STRICT

    name: str = Field(min_length=1, description="Shown wherever the rule acts.")
    channels: tuple[str, ...] = Field(description="Who is told.")
    level: Level = Field(default="medium", description="This level or a graver one.")
    kinds: tuple[ThreatKind, ...] = Field(default=(), description="One of the incident's threats is of such a kind.")
    entities: tuple[str, ...] = Field(default=(), description="Hosts and networks (10.1.0.0/16), one of which it hits.")
    hours: tuple[str, ...] = Field(default=(), description="Spans in which the rule holds: `mon-fri 08:00-18:00`.")
    regions: tuple[str, ...] = Field(default=(), description="Regions that record the incident.")
    last: bool = Field(default=False, description="When it fits, the rules below are not read.")
    escalate_after: float = Field(
        default=0.0, ge=0.0, description="Minutes after delivery without an `incidents ack`, after which ..."
    )
    escalate_to: tuple[str, ...] = Field(default=(), description="... these channels are told.")

    def rule(self, zone: str) -> Rule:
        """The same for the router.

        Raises:
            ValueError: a network or a span of hours cannot be read.
        """
        names, networks = networks_of(self.entities)
        return Rule(
            name=self.name,
            channels=self.channels,
            level=self.level,
            kinds=frozenset(self.kinds),
            names=names,
            networks=networks,
            hours=_hours(self.hours, zone),
            regions=frozenset(self.regions),
            last=self.last,
            escalate_after=round(self.escalate_after * MINUTE),
            escalate_to=self.escalate_to if self.escalate_after else (),
        )


class AlertSettings(BaseModel):
    """Who is told of incidents, and how. Without channels nobody is. docs/alerts.md explains channels and routes."""

    model_config = _STRICT

    channels: dict[str, AnyChannel] = Field(
        default={}, description="`[alerts.channels.NAME]`, each with its `kind`: docs/alerts.md."
    )
    routes: tuple[RouteSettings, ...] = Field(
        default=(),
        description="`[[alerts.routes]]`, read from the top. None: all channels, from medium level on.",
    )
    zone: str = Field(default="UTC", description="Time zone of all hours (IANA name).")
    group_minutes: float = Field(
        default=15.0,
        ge=0.0,
        description="Minutes before a channel hears of an incident again that is no graver.",
    )
    working_set: int = Field(
        default=10_000, ge=10, description="Alerts in memory at most; the others wait in the log and are counted."
    )
    attempts: int = Field(default=10, ge=1, description="Attempts of one alert until it is a dead letter.")
    retry_seconds: float = Field(default=1.0, gt=0.0, description="Wait after the first failed attempt; then doubled.")
    retry_longest: float = Field(default=300.0, gt=0.0, description="Longest wait between two attempts, seconds.")
    drain_seconds: float = Field(
        default=15.0, ge=0.0, description="How long a run that ends with its feeds waits for alerts to go out."
    )

    def routing(self) -> Routing:
        """The routing table.

        Raises:
            ValueError: a network or a span of hours cannot be read.
        """
        every = RouteSettings(name="everything", channels=tuple(self.channels))
        return Routing(
            rules=tuple(each.rule(self.zone) for each in self.routes or (every,)),
            channels={name: channel.manners(self.zone) for name, channel in self.channels.items()},
            group_window=round(self.group_minutes * MINUTE),
        )

    def patience(self) -> Patience:
        """How long delivery goes on trying."""
        return Patience(
            room=self.working_set,
            attempts=self.attempts,
            first=round(self.retry_seconds * SECOND),
            longest=round(self.retry_longest * SECOND),
        )

    def doubts(self) -> tuple[str, ...]:
        """What is allowed and hardly meant: rows that do nothing, channels that nobody uses."""
        idle = [each.name for each in self.routes if not each.channels and not each.last]
        named = {name for each in self.routes for name in (*each.channels, *each.escalate_to)}
        unused = [name for name in self.channels if self.routes and name not in named]
        return (
            *(f"route {name!r} tells nobody: name channels, or set last to silence what it fits" for name in idle),
            *(f"channel {name} is named by no route: it is told nothing" for name in unused),
        )

    @property
    def version(self) -> str:
        """First 12 hex digits of the SHA-256 over the settings."""
        return sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:12]

    @model_validator(mode="after")
    def _fits_together(self) -> AlertSettings:
        for each in self.routes:
            for name in (*each.channels, *each.escalate_to):
                if name not in self.channels:
                    known = ", ".join(self.channels) or "none"
                    raise ValueError(f"route {each.name!r} names the channel {name!r}, which is not set up ({known})")
            if bool(each.escalate_after) != bool(each.escalate_to):
                raise ValueError(f"route {each.name!r}: escalate_after and escalate_to go together")
        if len({each.name for each in self.routes}) < len(self.routes):
            raise ValueError("two routes have one name")
        self.routing()
        return self


def _near(host: str) -> bool:
    """Whether a host is this machine or in a private network, as far as its name tells.

    >>> [_near(host) for host in ("127.0.0.1", "10.1.2.3", "::1", "siem", "relay.internal")]
    [True, True, True, True, True]
    >>> [_near(host) for host in ("8.8.8.8", "siem.example.org", "2606:4700::1")]
    [False, False, False]
    """
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.rpartition(".")[2] in {"localhost", "local", "internal", "lan"}
    return address.is_private or address.is_loopback or address.is_link_local


def _hours(spans: tuple[str, ...], zone: str) -> tuple[Hours, ...]:
    return tuple(parse_hours(text, zone) for text in spans)
