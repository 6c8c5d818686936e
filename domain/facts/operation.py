"""Facts of `model/<name>`, `settings`, `job/<name>`, `region/<name>` that the spine already records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Literal

Health = Literal["healthy", "degraded", "critical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTrained:
    """A model was fitted on `samples` windows, or moved by `verdicts`; `version` begins its SHA-256."""

    kind: ClassVar[str] = "model-trained"
    decided: ClassVar[bool] = True
    model: str
    version: str
    sha256: str
    samples: int
    verdicts: int
    seed: int


RULES_GONE: Final = "the folder of rules is gone: the rules that were loaded from it stay in force; bring it back"
"""The one error of a rule set that leaves no rule out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesLoaded:
    """A rule set took effect; it is live from the next row on.

    Attributes:
        feed: whose rows it judges from here on.
        row: number of the feed's last row that it does not judge.
        version: hash of what its rules say; every entry and threat of that time names it.
        sha256: of the artifact that holds the texts of the rules, from which they can be loaded again.
        rules: how many are live; `names` are their titles.
        ignored: rules about records that are not read here.
        errors: rules that are wrong and were left out, by file and line.
    """

    kind: ClassVar[str] = "rules-loaded"
    decided: ClassVar[bool] = True
    feed: str
    row: int
    version: str
    sha256: str
    rules: int
    names: tuple[str, ...]
    ignored: int
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChanged:
    """An operator changed a setting; it takes effect at the next `batch-scored`."""

    kind: ClassVar[str] = "setting-changed"
    decided: ClassVar[bool] = True
    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReported:
    """A process said how it is (sensed: it depends on the moment)."""

    kind: ClassVar[str] = "health-reported"
    decided: ClassVar[bool] = False
    region: str
    health: Health
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowerFault:
    """A follower could not handle an event and parked that event's stream (sensed)."""

    kind: ClassVar[str] = "follower-fault"
    decided: ClassVar[bool] = False
    follower: str
    position: int
    stream: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted:
    """A scheduled job began (sensed)."""

    kind: ClassVar[str] = "job-started"
    decided: ClassVar[bool] = False
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFinished:
    """A scheduled job ended well (sensed)."""

    kind: ClassVar[str] = "job-finished"
    decided: ClassVar[bool] = False
    job: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailed:
    """A scheduled job ended with an error (sensed)."""

    kind: ClassVar[str] = "job-failed"
    decided: ClassVar[bool] = False
    job: str
    error: str
