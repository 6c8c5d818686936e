"""What is not well, and what to do about it: the reasons that `myrmidon status` gives, each with how grave it is.

Rules:
    1. One line a reason; it says what, where, and what to do.
    2. What the views know by themselves (responses, workflows) is asked of them: a daemon that has stopped cannot take
       back its last words about it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any, Final

from cli.output import plural
from cli.response_words import fault_of
from config.home import Home
from domain.facts.operation import RULES_GONE
from domain.values import SECOND, Micros

RECENT: Final = 7 * 24 * 3600 * SECOND
"""us for which a dead letter degrades health: what nobody has tried again in a week is history."""


KNOWN_HERE: Final = ("response ", "workflows ", "channel ")
"""How reasons of a region begin that are asked of the views."""

OF_THE_MOMENT: Final = ("actuator ",)
"""How those begin that nobody knows any more when no responder is running."""

DOWN: Final = re.compile(r"channel (.+) does not work")
"""A reason of a region that is told together with what waits for the channel."""

DELIVERIES: Final = frozenset({"an alert to be delivered", "an escalated alert to be delivered"})
"""What a workflow waits for that its channel is told for already."""


def missing(end: int, last: int, followers: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Facts that are not there any more, as far as a glance tells.

    Args:
        end: where the log says that it ends.
        last: position of the last fact that it holds.
        followers: how far they have read.
    """
    keep = "keep the log as it is and run `myrmidon audit verify`"
    if last != end:
        yield "critical", f"the log says that it ends at position {end:,}, its last fact stands at {last:,}; {keep}"
    for row in followers:
        if row["position"] > end:
            yield (
                "critical",
                f"{row['name']} has read up to position {row['position']:,}, the log ends at {end:,}; {keep}",
            )


def unread(feeds: list[dict[str, Any]], held: Collection[str]) -> Iterator[tuple[str, str]]:
    """Feeds that were not read to their end and that nobody reads on."""
    for feed in feeds:
        if feed["closed_at"] is None and f"feed-{feed['name']}" not in held:
            yield "degraded", f"feed {feed['name']} is not being read: start `myrmidon run`"


UNUSABLE: Final = "a file of the feed could not be used"
"""Reason of the fault that a run records of a file that it could not read."""


def unreadable(feeds: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Feeds whose last fault was a file that could not be read."""
    for feed in feeds:
        fault = json.loads(feed["last_fault"]) or {}
        if fault.get("reason") == UNUSABLE:
            alone = f"`myrmidon --home ANOTHER run --until-eof --feed {feed['source']}:PATH/{fault['sample']}`"
            yield "degraded", f"feed {feed['name']}: {UNUSABLE}: {fault['sample']}; {alone} says what is wrong with it"


def unsound(parts: list[dict[str, Any]], home: Home) -> Iterator[tuple[str, str]]:
    """Models that were left out, or vote and whose stored artifact is not sound; rules that were left out."""
    from adapters.artifacts import Artifacts

    store = Artifacts(home.artifacts)
    for part in parts:
        detail = json.loads(part["detail"])
        match part["kind"], part["state"]:
            case "model", "trained":
                if fault := store.fault(detail["sha256"]):
                    yield "degraded", f"model {part['name']}: {fault}"
            case "model", "retired":
                yield "degraded", f"model {part['name']} is left out, the others vote on: {detail['reason']}"
            case "rules", "faulty":
                left = "" if RULES_GONE in detail["errors"][0] else "left out: "
                more = f" and {len(detail['errors']) - 1} more" if len(detail["errors"]) > 1 else ""
                yield "degraded", f"rules of feed {part['name']}: {left}{detail['errors'][0]}{more}"
            case _:
                pass


def troubles_of(
    feeds: list[dict[str, Any]],
    parts: list[dict[str, Any]],
    parked: list[dict[str, Any]],
    now: Micros,
    silent: float,
    *,
    tended: bool = True,
) -> Iterator[tuple[str, str]]:
    """What is not well, and how grave it is."""
    for part in parts:
        detail = json.loads(part["detail"])
        if part["kind"] == "region" and part["state"] != "healthy":
            stale = KNOWN_HERE if tended else KNOWN_HERE + OF_THE_MOMENT
            reasons = [reason for reason in detail["reasons"] if not reason.startswith(stale)]
            if reasons or not detail["reasons"]:
                yield part["state"], f"region {part['name']}: {', '.join(reasons) or part['state']}"
        elif part["kind"] == "follower":
            yield "degraded", f"{part['name']} parked stream {detail['stream']}: {detail['error']}"
        elif part["kind"] == "job" and part["state"] == "failed":
            yield "degraded", f"job {part['name']} failed: {detail['error']}"
    for fault in parked:
        yield "degraded", f"view {fault['view']} parked stream {fault['stream']}: {fault['error']}"
    for feed in feeds:
        quiet = now - feed["heard_at"]
        if feed["closed_at"] is None and quiet > silent:
            yield "degraded", f"feed {feed['name']} has been silent for {quiet // (60 * SECOND):,} minutes"


def down_of(parts: list[dict[str, Any]]) -> frozenset[str]:
    """Channels that the running responder last said do not work."""
    reasons = [reason for part in parts if part["kind"] == "region" for reason in json.loads(part["detail"])["reasons"]]
    return frozenset(found[1] for reason in reasons if (found := DOWN.fullmatch(reason)))


def undelivered(channels: list[dict[str, Any]], down: Collection[str], *, tended: bool) -> Iterator[tuple[str, str]]:
    """Channels that do not work or gave alerts up: one line each, whatever follows from it.

    Args:
        channels: channel, waiting, letters (dead), given_up and failed (lately), error (the last).
        down: those that do not work, as far as a running responder says.
        tended: whether a responder is running that tries again.
    """
    for row in channels:
        name, broken = row["channel"], tended and row["channel"] in down
        if not (broken or row["given_up"] or (row["failed"] and not tended)):
            continue
        what = "does not work" if broken else "did not take every alert"
        counts = []
        if row["waiting"]:
            until = "for the next try" if tended else "until `myrmidon run` is started"
            counts.append(f"{plural(row['waiting'], 'alert')} {'waits' if row['waiting'] == 1 else 'wait'} {until}")
        if row["letters"]:
            counts.append(plural(row["letters"], "dead letter"))
        see = f"--channel {name}" if row["waiting"] else "--status dead"
        said = f"channel {name} {what} ({row['error']}): {' and '.join(counts)}"
        yield "degraded", f"{said}; see `myrmidon alerts list {see}`"


def unsettled(
    acting: list[dict[str, Any]], stalled: list[dict[str, Any]], now: Micros, *, tended: bool
) -> Iterator[tuple[str, str]]:
    """Responses that do not work, cannot be taken back or failed, and workflows that stand still.

    Args:
        acting: failing, undoing and failed responses (id, status, actions, updated_at) with their incident's status.
        stalled: workflows.
        now: the wall clock.
        tended: whether a responder is running that tries again.
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for row in acting:
        errors = [fault for action in json.loads(row["actions"]) if (fault := fault_of(action))]
        open_still = row["incident"] in {"open", "acknowledged"} and row["updated_at"] > now - RECENT
        if errors and (row["status"] != "failed" or open_still):
            kinds.setdefault(row["status"], []).append((row["id"][:8], errors[-1]))
    again = "it is tried again by itself" if tended else "nobody tries again until `myrmidon run` is started"
    for status, (what, advice) in UNSETTLED.items():
        if found := kinds.get(status):
            name, error = found[-1]
            said = f"{plural(len(found), 'response')} {what} ({name}: {error})"
            yield "degraded", f"{said}: {advice.format(again=again)}; `myrmidon responses list --status {status}`"
    standing = [row for row in stalled if not DELIVERIES.issuperset(json.loads(row["waiting"]).values())]
    if standing:
        count = f"{plural(len(standing), 'workflow')} {'is' if len(standing) == 1 else 'are'} stalled"
        yield "degraded", f"{count}: see `myrmidon workflows list --status stalled`"


def overdue(standing: list[dict[str, Any]], now: Micros, *, tended: bool) -> Iterator[tuple[str, str]]:
    """Responses that should have been taken back by now, and that nobody takes back: no responder is running."""
    late = [row for row in standing if row["expires_at"] and row["expires_at"] < now and row["status"] != "proposed"]
    if late and not tended:
        count = f"{plural(len(late), 'response')} should have been taken back by now"
        yield (
            "degraded",
            f"{count}, and no responder is running: start `myrmidon run`, or take it back by `responses undo`",
        )


UNSETTLED: Final = {
    "undoing": ("cannot be taken back", "mend the actuator, {again}; `myrmidon responses undo ID` tries at once"),
    "failing": ("cannot be carried out", "mend the actuator, {again}"),
    "failed": ("failed while the incident is open", "mend the actuator, act by hand, `myrmidon incidents resolve ID`"),
}
"""Status of a response -> what is wrong with it, and what to do."""
