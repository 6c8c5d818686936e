"""Responses to the lesser threats of an incident."""

from __future__ import annotations

from contextlib import closing

from adapters.views import Views
from domain.facts.assessment import ThreatAssessed, ThreatSuppressed
from domain.facts.incident import IncidentResolved
from tests.responses.world import HOUR, Site, uid


def test_when_only_the_gravest_is_taken_back_the_incident_does_not_say_that_nothing_is_in_force(tmp_path):
    site = Site()
    with closing(Views.open(str(tmp_path), site.journal)) as views:
        incident = site.incident("a")
        graver = ThreatAssessed(threat=uid("a"), risk=9.0, level="critical", contributions=())
        site.record(f"assessment/{uid('a')}", graver)
        weighed = ThreatAssessed(threat=uid("b"), risk=7.2, level="high", contributions=())
        site.threat("b", peers=("203.0.113.20",))
        site.record(f"assessment/{uid('b')}", weighed)
        site.link(incident, "b")
        site.work()
        site.undo(site.responses()[0])
        site.work()
        assert set(site.wall.blocked) == {"203.0.113.20/32"}
        views.catch_up(site.journal)
        [shown] = views.list_incidents()
        assert shown["status"] == "open"
        assert shown["timeline"][-1]["text"].startswith("its gravest threat is held back no more: response ")


def test_rates_count_what_held_a_lesser_threat_back_and_not_what_an_exception_ended(tmp_path):
    site = Site()
    with closing(Views.open(str(tmp_path), site.journal)) as views:
        incident = site.incident("a")
        graver = ThreatAssessed(threat=uid("a"), risk=9.0, level="critical", contributions=())
        site.record(f"assessment/{uid('a')}", graver)
        for name, peer in (("b", "203.0.113.20"), ("c", "203.0.113.30")):
            site.threat(name, peers=(peer,))
            site.link(incident, name)
        site.work()
        covered = ThreatSuppressed(threat=uid("c"), suppression=uid("s"), reason="known")
        site.record(f"assessment/{uid('c')}", covered)
        site.later(HOUR)
        site.record(f"incident/{incident}", IncidentResolved(incident=incident, reason="cleaned"), "operator:x")
        views.catch_up(site.journal)
        [rate] = views.playbook_rates()
        assert [rate[name] for name in ("begun", "held", "contained", "succeeded", "failed")] == [3, 3, 1, 2, 0]
