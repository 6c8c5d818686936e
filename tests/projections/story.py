"""Facts for the tests: a small real-looking story, and random ones that keep to the log's rules."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid5

from hypothesis import strategies as st

from domain.events import Fact
from domain.facts import alert as a
from domain.facts import assessment as w
from domain.facts import incident as i
from domain.facts import model as m
from domain.facts import operation as o
from domain.facts import response as r
from domain.facts import telemetry as t
from domain.facts.threat import ThreatContinued, ThreatDetected, VerdictGiven
from domain.journal import Draft
from domain.sighting import Feature, Flow, Vote
from domain.values import NAMESPACE, SECOND

NOON = 1_521_892_800 * SECOND


def uid(name: object) -> UUID:
    return uuid5(NAMESPACE, str(name))


def drafts(*facts: tuple[str, Fact], start: int = NOON, actor: str = "detector") -> list[Draft]:
    """One draft a fact, a second apart; what is about no threat of its own belongs to the workflow of threat a."""
    return [
        Draft(
            event_id=uid((start, n, stream)), stream=stream, fact=fact, occurred_at=start + n * SECOND, actor=actor,
            correlation=getattr(fact, "threat", None) or (uid("a") if stream.startswith(WORKFLOW) else None),
        )
        for n, (stream, fact) in enumerate(facts)
    ]  # fmt: skip


WORKFLOW = ("incident/", "response/", "alert/", "assessment/", "workflow/")


def flow(n: int = 0) -> Flow:
    return Flow(
        ts=NOON + n, src_ip="10.0.0.5", src_port=40000, dst_ip="203.0.113.9", dst_port=443, proto="tcp", bytes_out=512
    )


def totals(name: object, *, entity: str = "10.0.0.5", risk: float = 7.1, score: float = 1.5) -> dict[str, object]:
    return {
        "threat": uid(name),
        "entity": entity,
        "threat_kind": "beacon",
        "title": f"{entity} calls home at a regular beat: 30 connections",
        "score": score,
        "risk": risk,
        "level": "high",
        "confidence": 0.7,
        "techniques": ("T1071", "T1571"),
        "rules": (),
        "last_seen": NOON + 60 * SECOND,
        "peers": ("203.0.113.9",),
        "votes": (Vote(model="behaviour/beacon", version="1", p=None, vote=True),),
        "features": (Feature(name="calls", value=30.0, unit="calls", baseline=20.0),),
        "flow_count": 30,
        "flows": (flow(), flow(1)),
        "row": 900,
        "detail": "",
    }


def detected(name: object, **more: object) -> tuple[str, Fact]:
    fact = ThreatDetected(
        **totals(name, **more),
        feed="zeek",
        detected_at=NOON + 61 * SECOND,
        first_seen=NOON,
        model_version="m1",
        rules_version="r1",
        settings_version="s1",
    )
    return f"threat/{fact.threat}", fact


def continued(name: object, **more: object) -> tuple[str, Fact]:
    return f"threat/{uid(name)}", ThreatContinued(**totals(name, **more))


def verdict(name: object, said: str) -> tuple[str, Fact]:
    return f"verdict/{uid(name)}", VerdictGiven(threat=uid(name), verdict=said, confidence=0.9, correction="")


def feed_opened(feed: str = "zeek") -> tuple[str, Fact]:
    return f"feed/{feed}", t.FeedOpened(feed=feed, source="zeek:logs", settings_version="s1")


def scored(feed: str = "zeek", number: int = 1, received: int = 1000, malformed: int = 2) -> tuple[str, Fact]:
    return f"feed/{feed}", t.BatchScored(
        feed=feed,
        number=number,
        cursor=(t.LogCursor(log="conn", rows=received, size=10),),
        rows_sha256="0" * 64,
        received=received,
        scored=received - malformed - 1,
        skipped=1,
        malformed=malformed,
        late=0,
        skipped_by={"skipped: unread": 1},
        watermark=NOON + number,
        model_version="m1",
        rules_version="r1",
        settings_version="s1",
        folded=0,
        score_quantiles=(),
        candidates=0,
        candidates_sha256="",
    )


def closed(feed: str = "zeek") -> tuple[str, Fact]:
    return f"feed/{feed}", t.FeedClosed(feed=feed, received=1000, scored=997, skipped=1, malformed=2, late=0)


def opened(name: object, threat: object, risk: float = 7.1) -> tuple[str, Fact]:
    return f"incident/{uid(name)}", i.IncidentOpened(
        incident=uid(name),
        threat=uid(threat),
        title=f"title of {threat}",
        level="high",
        risk=risk,
        entities=("10.0.0.5",),
    )


def linked(name: object, threat: object, reason: str = "same-entity", risk: float = 7.1) -> tuple[str, Fact]:
    return f"incident/{uid(name)}", i.ThreatLinked(
        incident=uid(name),
        threat=uid(threat),
        reason=reason,
        title=f"title of {threat}",
        level="high",
        risk=risk,
        entity="10.0.0.6",
    )


def merged(name: object, into: object) -> tuple[str, Fact]:
    return f"incident/{uid(name)}", i.IncidentMerged(incident=uid(name), into=uid(into))


def done(name: object, what: str) -> tuple[str, Fact]:
    """An operator's or responder's fact about an incident."""
    made: dict[str, Fact] = {
        "acknowledged": i.IncidentAcknowledged(incident=uid(name)),
        "resolved": i.IncidentResolved(incident=uid(name), reason="cleaned"),
        "note": i.NoteAdded(incident=uid(name), text="called the owner"),
        "escalated": i.IncidentEscalated(incident=uid(name), level="critical", risk=9.5, title="worse"),
    }
    return f"incident/{uid(name)}", made[what]


def routed(name: object, incident: object, held: bool = False) -> tuple[str, Fact]:
    return f"alert/{uid(name)}", a.AlertRouted(
        alert=uid(name),
        incident=uid(incident),
        channel="soc",
        route="all",
        trigger="opened",
        level="high",
        risk=7.1,
        title="title\x00",
        entities=("10.0.0.5",),
        kinds=("beacon",),
        threats=(uid("a"),),
        threat_count=1,
        opened_at=NOON,
        not_before=NOON + 60 * SECOND if held else 0,
        grouped=0,
        withheld=2,
    )


def unanswered(name: object, after: object, incident: object) -> tuple[str, Fact]:
    return f"alert/{uid(name)}", a.AlertEscalated(
        alert=uid(name),
        after=uid(after),
        incident=uid(incident),
        channel="boss",
        route="all",
        level="high",
        risk=7.1,
        title="title",
        entities=("10.0.0.5",),
        kinds=("beacon",),
        threats=(uid("a"),),
        threat_count=1,
        opened_at=NOON,
        waited_seconds=900,
    )


def told(name: object, what: str, incident: object = "A") -> tuple[str, Fact]:
    """What became of an alert."""
    alert, channel = uid(name), "soc"
    made: dict[str, Fact] = {
        "delivered": a.AlertDelivered(alert=alert, channel=channel, attempt=2, milliseconds=12.5, receipt="ok\x00"),
        "failed": a.AlertFailed(alert=alert, channel=channel, attempt=1, error="no answer", dead=False),
        "dead": a.AlertFailed(alert=alert, channel=channel, attempt=9, error="no answer", dead=True),
        "retried": a.AlertRetried(alert=alert, channel=channel),
        "suppressed": a.AlertSuppressed(
            alert=alert, incident=uid(incident), channel=channel, route="all", level="high", risk=7.1, title="t",
            reason="rate-limit",
        ),
    }  # fmt: skip
    return f"alert/{alert}", made[what]


def assessed(name: object, risk: float = 7.9) -> tuple[str, Fact]:
    parts = (w.Contribution(name="detector", points=risk, says="beacon"),)
    fact = w.ThreatAssessed(threat=uid(name), risk=risk, level="high", contributions=parts)
    return f"assessment/{fact.threat}", fact


def repeated(name: object, into: object, count: int = 1) -> tuple[str, Fact]:
    return f"assessment/{uid(name)}", w.ThreatMerged(threat=uid(name), into=uid(into), count=count)


def silenced(name: object, by: object) -> tuple[str, Fact]:
    fact = w.ThreatSuppressed(threat=uid(name), suppression=uid(by), reason="known")
    return f"assessment/{uid(name)}", fact


def excepted(name: object) -> tuple[str, Fact]:
    scope = w.Scope(entity="10.0.0.6")
    fact = w.SuppressionAdded(suppression=uid(name), scope=scope, expires_at=NOON * 2, reason="known", covered=1)
    return f"suppression/{uid(name)}", fact


def unexcepted(name: object) -> tuple[str, Fact]:
    return f"suppression/{uid(name)}", w.SuppressionRemoved(suppression=uid(name), reason="over")


RULES = o.RulesLoaded(
    feed="zeek", row=0, version="r2", sha256="0" * 64, rules=2, names=("A", "B"), ignored=1, errors=()
)


def proposed(name: object = "R", threat: object = "a") -> tuple[str, Fact]:
    action = r.Action(
        action=uid("act"), step="s", actuator="firewall", verb="deny", target_type="ipv4_net",
        target="203.0.113.9/32", ttl=600 * SECOND, undo="allow",
    )  # fmt: skip
    half = r.Estimate(mean=0.5, low=0.1, high=0.9)
    return f"response/{uid(name)}", r.ResponseProposed(
        response=uid(name), incident=uid("A"), threat=uid(threat), threat_kind="beacon", level="high",
        entity="10.0.0.5", asset_class="inside", playbook="block", playbook_version="v1", actions=(action,),
        asking=(), candidates=("block", "watch"), propensity=0.75, success=half, duration=half, cost=half, mode="act",
    )  # fmt: skip


def unavailable() -> tuple[str, Fact]:
    return f"response/{uid('none')}", r.ResponseUnavailable(
        response=uid("none"), incident=uid("A"), threat=uid("a"), threat_kind="beacon", level="high",
        entity="10.0.0.5", reason="no playbook",
    )  # fmt: skip


def stalled() -> tuple[str, Fact]:
    return f"workflow/{uid('a')}", r.WorkflowStalled(workflow=uid("a"), waiting_for="an answer", seconds=900)


def acted(what: str, name: object = "R") -> tuple[str, Fact]:
    """A fact of a response and its one action."""
    both = {"response": uid(name), "action": uid("act")}
    made: dict[str, Fact] = {
        "approved": r.ResponseApproved(response=uid(name), reason="the policy asks for no approval"),
        "deferred": r.ResponseDeferred(response=uid(name), check="rate", reason="too many", asks=False),
        "rejected": r.ResponseRejected(response=uid(name), reason="no"),
        "expired": r.ResponseExpired(response=uid(name)),
        "undo": r.UndoRequested(response=uid(name), reason="operator"),
        "started": r.ActionStarted(**both, target="203.0.113.9/32", expires_at=NOON + 900 * SECOND),
        "retried": r.ActionRetried(**both, attempt=2),
        "succeeded": r.ActionSucceeded(**both, milliseconds=1.5, receipt="ok"),
        "failed": r.ActionFailed(**both, phase="undo", attempt=1, error="not today"),
        "refused": r.ActionFailed(**both, phase="gate", attempt=0, error="rate: too many"),
        "verified": r.ActionVerified(**both, in_force=True, evidence="seen"),
        "unseen": r.ActionVerified(**both, in_force=False, evidence="not seen"),
        "undone": r.ActionUndone(**both, reason="operator", evidence="gone"),
        "unsent": r.ActionFailed(**both, phase="check", attempt=1, error="no"),
        "given up": r.ActionUndone(**both, reason="failure", evidence="nothing had been sent"),
    }
    return f"response/{uid(name)}", made[what]


def story() -> list[Draft]:
    """A feed, two threats, two incidents that merge, verdicts, and the state of parts."""
    return drafts(
        feed_opened(),
        detected("a"),
        opened("A", "a"),
        detected("b", entity="10.0.0.6", risk=8.0),
        opened("B", "b", 8.0),
        scored(),
        ("baseline/host", t.BaselineLearned(profile="host", windows=1000, hosts=9, model_version="m1")),
        ("baseline/host", m.BaselineWarming(profile="host", windows=1000, seen=250, least_peers=12)),
        ("baseline/host", m.BaselineShifted(profile="host", host="10.0.0.5", reason="verdict", windows=3)),
        ("model/forest", m.ThresholdMoved(model="forest", level=0.008, target=0.01, verdicts=4)),
        ("model/forest", m.VotesCounted(model="forest", version="m1", judged=9, votes=1, disagreements=1)),
        ("model/forest", o.ModelTrained(model="forest", version="m1", sha256="0" * 64, samples=10, verdicts=0, seed=0)),
        ("model/loud", m.ModelRetired(model="loud", version="", reason="ValueError: too loud")),
        ("model/loud", m.ArtifactRefused(model="loud", version="1", sha256="0" * 64, reason="was changed")),
        ("model/forest", m.ModelTimed(model="forest", windows=9, mean_us=80.5, p95_us=120.0)),
        ("feed/zeek", t.StateEvicted(feed="zeek", number=1, totals={"beacon": 7, "hosts_forgotten": 2})),
        ("rules/zeek", RULES),
        continued("a", risk=7.5),
        linked("A", "b", "merged", 8.0),
        merged("B", "A"),
        done("A", "escalated"),
        done("A", "note"),
        verdict("b", "incorrect"),
        ("alerting", a.AlertingChanged(version="v1", channels=("soc", "boss"), routes=("all",))),
        routed("x", "A"),
        told("x", "failed"),
        told("x", "delivered"),
        unanswered("y", "x", "A"),
        told("y", "dead"),
        told("y", "retried"),
        routed("z", "A", held=True),
        told("z", "suppressed"),
        told("w", "suppressed"),
        ("feed/zeek", t.LogReleased(feed="zeek", log="dns", after_row=10)),
        ("feed/zeek", t.FeedFault(feed="zeek", log="conn", reason="malformed", row=3, sample="\x00", count=2)),
        ("settings", o.SettingChanged(key="run.batch_rows", value="500")),
        ("region/local", o.HealthReported(region="local", health="healthy", reasons=())),
        ("job/retrain", o.JobStarted(job="retrain")),
        ("job/retrain", o.JobFinished(job="retrain", result="ok")),
        done("A", "acknowledged"),
        proposed(),
        *(acted(what) for what in ("approved", "deferred", "started", "unsent", "retried", "succeeded", "verified")),
        (f"incident/{uid('A')}", i.IncidentContained(incident=uid("A"), response=uid("R"))),
        *(acted(what) for what in ("undo", "failed", "undone")),
        (f"incident/{uid('A')}", i.IncidentReleased(incident=uid("A"), response=uid("R"), reason="operator")),
        *(pair for name in ("Q", "P") for pair in (proposed(name), acted("rejected", name), acted("expired", name))),
        *(unavailable(), stalled()),
        done("A", "resolved"),
        (f"incident/{uid('A')}", i.IncidentReopened(incident=uid("A"), threat=uid("a"))),
        assessed("a"),
        repeated("b", "a"),
        excepted("X"),
        silenced("b", "X"),
        unexcepted("X"),
        closed(),
    )


def _facts() -> st.SearchStrategy[tuple[str, Fact]]:
    name, number = st.integers(0, 3), st.integers(0, 5)
    risk = st.sampled_from([4.0, 7.1, 9.25])
    text = st.text(max_size=5).filter(lambda s: s.encode("utf-8", "replace").decode() == s)
    return st.one_of(
        st.builds(feed_opened, st.sampled_from(["zeek", "eve"])),
        st.builds(scored, st.sampled_from(["zeek", "eve"]), number),
        st.builds(closed, st.sampled_from(["zeek", "eve"])),
        st.builds(detected, name, risk=risk),
        st.builds(continued, name, risk=risk, entity=text),
        st.builds(verdict, name, st.sampled_from(["correct", "incorrect", "partial"])),
        st.builds(opened, name, name),
        st.builds(linked, name, name, st.sampled_from(["flows", "merged"]), risk),
        st.builds(merged, name, name),
        st.builds(assessed, name, risk),
        st.builds(repeated, name, name, number),
        st.builds(excepted, name),
        st.builds(silenced, name, name),
        st.builds(unexcepted, name),
        st.builds(done, name, st.sampled_from(["acknowledged", "resolved", "note", "escalated"])),
        st.builds(routed, name, name, st.booleans()),
        st.builds(unanswered, name, name, name),
        st.builds(told, name, st.sampled_from(["delivered", "failed", "dead", "retried", "suppressed"])),
        st.builds(proposed, name, name),
        st.builds(
            acted,
            st.sampled_from(["approved", "rejected", "started", "succeeded", "failed", "refused", "verified", "unseen",
                             "undo", "undone"]),
            name,
        ),
        st.builds(lambda h: ("region/local", o.HealthReported(region="local", health=h, reasons=("x",))),
                  st.sampled_from(["healthy", "degraded"])),
        st.builds(lambda j: (f"job/{j}", o.JobFailed(job=j, error="\x00 no")), text),
        st.builds(lambda n: ("follower/x", o.FollowerFault(follower="x", position=n, stream="s", error="e")), number),
    )  # fmt: skip


def stories() -> st.SearchStrategy[list[Draft]]:
    """Random facts, also of things that no view has seen: those park their streams."""
    return st.lists(_facts(), max_size=40).map(lambda facts: drafts(*facts))


def every(some: list[Draft]) -> Iterator[str]:
    """The kinds of facts in a story."""
    return (draft.fact.kind for draft in some)
