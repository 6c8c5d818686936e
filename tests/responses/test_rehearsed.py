"""A dry run is never taken for the real thing: it is chosen last, and it is called what it is."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from uuid import UUID

import pytest

from adapters.log import open_log
from adapters.playbooks import load_playbooks, only_rehearsed, unused
from cli.response_words import status_of
from config.actuators import PlaybookSettings
from config.home import Home
from config.response import ResponseSettings
from config.settings import Settings
from scheduler.choosing import Selector
from scheduler.crew import crew
from tests.responses.test_watch import BEACON
from tests.responses.world import T0

TUNNEL = replace(BEACON, kind="dns-tunnel", peers=("203.0.113.9", "tunnel.example"))
SHIPPED = load_playbooks(PlaybookSettings())


def candidates(dry: set[str]) -> set[str]:
    known = Selector(SHIPPED, bool, ("10.0.0.0/8",), lambda playbook: only_rehearsed(playbook, dry))
    return set(known.choose(TUNNEL, "", "high", UUID(int=1)).candidates)


def test_what_would_only_be_rehearsed_is_no_candidate_where_something_is_carried_out():
    assert "deny-tunnel-domain" in candidates(set())
    assert "deny-tunnel-domain" not in candidates({"dns"})
    assert candidates({"dns"}) == candidates(set()) - {"deny-tunnel-domain", "sinkhole-domains"}


def test_where_all_is_rehearsed_the_choice_is_that_of_the_real_thing():
    assert candidates({"dns", "firewall", "ticketing"}) == candidates(set())


def test_a_name_that_no_playbook_names_is_told_with_the_one_that_may_have_been_meant():
    [doubt] = unused({"firewall", "dns", "ticketing", "firewal"}, SHIPPED)
    assert doubt.startswith("[actuators.firewal]: no playbook names this actuator, so it is never used")
    assert doubt.endswith("did you mean [actuators.firewall]?")
    assert unused({"firewall", "dns", "ticketing"}, {}) == []


@pytest.mark.parametrize(("live", "told"), [(True, 1), (False, 0)])
def test_a_run_tells_it_at_its_start(tmp_path, live, told):
    settings = Settings(response=ResponseSettings(mode="observe"), actuators={"firewal": {"type": "dry-run"}})
    said: list[str] = []
    with ExitStack() as stack:
        log = open_log("memory:", lambda: T0)
        stack.callback(log.close)
        crew(log, settings, Home(tmp_path, environ={}), stack, lambda: T0, warn=said.append, live=live)
    assert sum("did you mean [actuators.firewall]?" in line for line in said) == told


@pytest.mark.parametrize(
    ("by", "shown"),
    [(("dry-run",), "in force (dry run)"), (("dry-run", "nftables 1a2b3c4d"), "in force"), (("",), "in force")],
)
def test_a_response_that_only_rehearses_says_so(by, shown):
    actions = [{"by": each, "started_at": 1} for each in by] + [{"by": "", "started_at": None}]
    assert status_of({"status": "in force", "actions": actions}) == shown
