"""The union of all facts and the closed registry that codes them: `kind` on disk <-> class in memory.

Add a fact: write its class, name it in `Fact` here. Every projection and the codec's tests then ask for it.
"""

from __future__ import annotations

from typing import Final, TypeAlias, get_args

from domain.facts.alert import (
    AlertDelivered,
    AlertEscalated,
    AlertFailed,
    AlertingChanged,
    AlertRetried,
    AlertRouted,
    AlertSuppressed,
)
from domain.facts.assessment import (
    SuppressionAdded,
    SuppressionRemoved,
    ThreatAssessed,
    ThreatMerged,
    ThreatSuppressed,
)
from domain.facts.incident import (
    IncidentAcknowledged,
    IncidentContained,
    IncidentEscalated,
    IncidentMerged,
    IncidentOpened,
    IncidentReleased,
    IncidentReopened,
    IncidentResolved,
    NoteAdded,
    ThreatLinked,
)
from domain.facts.model import (
    ArtifactRefused,
    BaselineShifted,
    BaselineWarming,
    ModelRetired,
    ModelTimed,
    ThresholdMoved,
    VotesCounted,
)
from domain.facts.operation import (
    FollowerFault,
    HealthReported,
    JobFailed,
    JobFinished,
    JobStarted,
    ModelTrained,
    RulesLoaded,
    SettingChanged,
)
from domain.facts.response import (
    ActionFailed,
    ActionRetried,
    ActionStarted,
    ActionSucceeded,
    ActionUndone,
    ActionVerified,
    ResponseApproved,
    ResponseDeferred,
    ResponseExpired,
    ResponseProposed,
    ResponseRejected,
    ResponseUnavailable,
    UndoRequested,
    WorkflowStalled,
)
from domain.facts.telemetry import (
    BaselineLearned,
    BatchScored,
    FeedClosed,
    FeedFault,
    FeedOpened,
    LogReleased,
    StateEvicted,
)
from domain.facts.threat import ThreatContinued, ThreatDetected, VerdictGiven

Fact: TypeAlias = (
    FeedOpened
    | BatchScored
    | StateEvicted
    | LogReleased
    | FeedFault
    | FeedClosed
    | BaselineWarming
    | BaselineLearned
    | BaselineShifted
    | ThreatDetected
    | ThreatContinued
    | VerdictGiven
    | ThreatAssessed
    | ThreatMerged
    | ThreatSuppressed
    | SuppressionAdded
    | SuppressionRemoved
    | IncidentOpened
    | ThreatLinked
    | IncidentMerged
    | IncidentEscalated
    | IncidentAcknowledged
    | IncidentContained
    | IncidentReleased
    | IncidentResolved
    | IncidentReopened
    | NoteAdded
    | AlertingChanged
    | AlertRouted
    | AlertSuppressed
    | AlertEscalated
    | AlertDelivered
    | AlertFailed
    | AlertRetried
    | ResponseProposed
    | ResponseUnavailable
    | ResponseApproved
    | ResponseDeferred
    | ResponseRejected
    | ResponseExpired
    | UndoRequested
    | ActionStarted
    | ActionRetried
    | ActionSucceeded
    | ActionFailed
    | ActionVerified
    | ActionUndone
    | WorkflowStalled
    | ModelTrained
    | ModelRetired
    | ArtifactRefused
    | RulesLoaded
    | ThresholdMoved
    | VotesCounted
    | ModelTimed
    | SettingChanged
    | HealthReported
    | FollowerFault
    | JobStarted
    | JobFinished
    | JobFailed
)

FACTS: Final[dict[str, type[Fact]]] = {cls.kind: cls for cls in get_args(Fact)}
"""Every fact by the name it has on disk."""

VERSIONS: Final[dict[str, int]] = dict.fromkeys(FACTS, 1) | {
    "threat-detected": 2,
    "threat-continued": 2,
    "baseline-warming": 2,
    "model-trained": 2,
    "threat-linked": 2,
    "action-started": 2,
}
"""Schema version under which each kind is written today; older ones are lifted by the codec's upcasters."""

SENSED: Final[frozenset[str]] = frozenset(kind for kind, cls in FACTS.items() if not cls.decided)
"""Kinds that depend on the moment and stay out of the digest."""
