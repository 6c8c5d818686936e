"""Responses in words: the list, one of them, the rates, the modes, and what became of an operator's answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cli.output import plural, short, table, when
from domain.moments import rfc3339, to_moment
from domain.values import Micros

TO_BE_TAKEN_BACK: Final = "to be taken back"

LIVE_STATUS: Final = ("starting", "in force", "contained", "failing", "undoing")
"""States of a response that the world may feel."""


MEANS: Final[Mapping[str, str]] = {
    "observe": "what would be done is recorded, and not done",
    "suggest": "nothing begins without `responses approve`",
    "act": "what asks nobody's consent begins by itself",
}
"""Mode -> what it means."""

ROOM: Final[Mapping[str, str]] = {
    "blast-radius": "undo another, or raise max_targets, max_targets_window, max_share or hosts",
    "rate": "let the hour go by, or raise rate",
}
"""Check of the gate that leaves no room -> what to do about it; the names are settings of [response]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What is said of a response that waits depends on.

    Attributes:
        now: the wall clock.
        timeout: how long it waits for an answer, or for room, us.
        tended: whether a responder is running.
    """

    now: Micros
    timeout: Micros
    tended: bool

    def told(self, response: dict[str, Any]) -> dict[str, Any]:
        """A response of the view, with the end of its waiting, whether that is over, and whether anybody looks."""
        end = None
        if response["status"] in {"proposed", "approved"}:
            end = to_moment(response["waiting_since"] or response["proposed_at"], self.now) + self.timeout
        return {
            **response,
            "waits_until": None if end is None else rfc3339(end),
            "overdue": end is not None and end <= self.now,
            "tended": self.tended,
        }


def as_table(responses: list[dict[str, Any]], totals: dict[str, int]) -> Any:
    """The list for people."""
    if not responses:
        if total := totals["responses"]:
            return f"none of the {total:,} responses fits: loosen --since, --until, --entity or --status"
        return "no responses: no incident reached [response] min_level, or no playbook fits (`playbooks list`)"
    rows = [
        (short(r["id"]), status_of(r), r["level"], r["playbook"], r["entity"], when(r["proposed_at"]), until_of(r),
         short(r["incident"]), why_of(r))
        for r in responses
    ]  # fmt: skip
    return table(("ID", "STATUS", "LEVEL", "PLAYBOOK", "ENTITY", "PROPOSED", "UNTIL", "INCIDENT", "WHY"), rows)


def why_of(response: dict[str, Any]) -> str:
    """Why a response is in the state in which it is."""
    errors = [action["error"] for action in response["actions"] if action["error"]]
    match response["status"]:
        case "proposed" | "approved" if response["overdue"]:
            return f"{_waits(response)} in vain: it is over, with no action{_when_tended(response)}"
        case "proposed":
            return f"{_waits(response)}: `responses approve {short(response['id'])}`, or reject"
        case "approved" if response["waits_for"]:
            alone = "" if response["tended"] else "; no responder is running: start `myrmidon run`"
            return f"{_waits(response)}: {room_for(response)}{alone}"
        case "approved" if not response["tended"]:
            return f"{response['reason']}: it begins{_when_tended(response)}"
        case "failing" | "undoing" | "failed" | "refused" if errors:
            return str(errors[-1])
        case "undone":
            return f"taken back: {response['undone_because']}"
        case _:
            return str(response["reason"])


def _waits(response: dict[str, Any]) -> str:
    what = f"room ({response['waits_for']})" if response["waits_for"] else "an answer"
    past = "waited" if response["overdue"] else "waits"
    return f"{past} for {what} until {when(response['waits_until'])}"


def _unanswered(response: dict[str, Any]) -> str:
    return f"nobody has answered ({response['reason']})" if response["reason"] else "nobody has answered"


def _when_tended(response: dict[str, Any]) -> str:
    return " now" if response["tended"] else " when `myrmidon run` is started"


def room_for(response: dict[str, Any]) -> str:
    """What to do for a response that finds no room."""
    return ROOM.get(response["waits_for"].partition(":")[0], "see `myrmidon responses list`")


def status_of(response: dict[str, Any]) -> str:
    """Its status; and that it only rehearses, where all that was begun of it is a dry run."""
    return f"{response['status']} (dry run)" if is_rehearsed(response["actions"]) else str(response["status"])


def is_rehearsed(actions: list[dict[str, Any]]) -> bool:
    """Whether all actions that were begun are a dry run: in rows of before nobody wrote down who began them."""
    from domain.facts.response import DRY_RUN

    return {action.get("by", "") for action in actions if action["started_at"]} == {DRY_RUN}


def until_of(response: dict[str, Any]) -> str:
    """When what is in force ends by itself, or what waits is over."""
    if response["status"] in {"proposed", "approved"}:
        return when(response["waits_until"])
    ends = response["expires_at"]
    return when(ends) if ends and response["status"] in LIVE_STATUS else "-"


def describe(response: dict[str, Any]) -> str:
    """The response for people."""
    success, duration = response["success"], response["duration"]
    asset = response["asset_class"] or "no asset class"
    about = f"incident {short(response['incident'])}, threat {short(response['threat'])}"
    within = f"contained in {duration['mean']:.0f} s ({duration['low']:.0f}-{duration['high']:.0f})"
    sure = f"{success['mean']:.0%} ({success['low']:.0%}-{success['high']:.0%})"
    said = f"{response['decided_by']}: {response['reason']}" if response["decided_by"] else _unanswered(response)
    lines = [
        f"Response {response['id']}",
        f"{status_of(response)}  {response['level']}  playbook {response['playbook']} ({response['playbook_version']})",
        f"Against {response['threat_kind']} of {response['entity']} ({asset}); {about}",
        f"Proposed {when(response['proposed_at'])} in mode {response['mode']}; {said}",
        f"Chosen with probability {response['propensity']:.3f} among {', '.join(response['candidates'])}",
        f"Expected: success {sure}, {within}",
        "",
        "Actions:",
    ]
    for action in response["actions"]:
        lines += _action(action)
    if response["status"] in {"proposed", "approved"}:
        lines += ["", why_of(response)]
    elif until_of(response) != "-":
        lines += [
            "",
            f"Taken back by itself at {until_of(response)}; now: `myrmidon responses undo {short(response['id'])}`",
        ]
    return "\n".join(lines)


def _action(action: dict[str, Any]) -> list[str]:
    head = (
        f"  {short(action['id'])}  {action['state']:<12}  {action['verb']} {action['target']}  by {action['actuator']}"
    )
    if is_rehearsed([action]):
        head += " (dry run)"
    if action["expires_at"]:
        head += f"  until {when(action['expires_at'])}"
    said = [("error", action["error"]), ("seen", action["evidence"]), ("taken back", action["undone_because"] or "")]
    return [head, *(f"            {name}: {text}" for name, text in said if text)]


def rates_table(rows: list[dict[str, Any]]) -> Any:
    """The rates for people."""
    if not rows:
        return "no playbook was proposed yet"
    shown = [
        (r["playbook"], r["threat_kind"], r["asset_class"] or "-", r["proposed"], r["begun"], r["held"], r["contained"],
         r["succeeded"], r["failed"], r["wrong"], "-" if r["success_rate"] is None else f"{r['success_rate']:.0%}",
         "-" if r["mean_seconds"] is None else f"{r['mean_seconds']:.1f}")
        for r in rows
    ]  # fmt: skip
    columns = (
        "PLAYBOOK",
        "KIND",
        "ASSET",
        "PROPOSED",
        "BEGUN",
        "HELD",
        "CONTAINED",
        "SUCCEEDED",
        "FAILED",
        "WRONG",
        "SUCCESS",
        "SECONDS",
    )
    return table(columns, shown, right=columns[3:])


def modes_told(document: dict[str, Any]) -> str:
    """The mode that holds, who said what, and what is in force."""
    mode, operators = document["mode"], document["operators"] or "nothing"
    said = f"the mode is {mode}: {MEANS[mode]} ([response] mode is {document['settings']}, operators said {operators})"
    if again := document.get("proposed_again"):
        said += f"; {plural(again, 'response')} proposed again: `myrmidon responses list`"
    still = f"; {plural(document['in_force'], 'action')} in force" if document["in_force"] else "; nothing is in force"
    if document.get("done_by") != "the running daemon":
        return said + still
    if mode != "observe":
        return f"{said}{still}; the running daemon takes it up"
    return f"{said}{still}, the running daemon goes on with it" if document["in_force"] else said + still


def answer_told(document: dict[str, Any]) -> str:
    """What became of an operator's answer to a response."""
    response, done = document["response"], document["done"]
    if response is None:
        return f"the response is {done}; the views do not show it yet: `myrmidon responses list`"
    name, status = short(response["id"]), response["status"]
    if done == TO_BE_TAKEN_BACK and status == "undone":
        return f"response {name} was taken back ({response['undone_because']})"
    if done == TO_BE_TAKEN_BACK and status == "refused":
        return f"response {name} was withdrawn before it began"
    errors = [each["error"] for each in response["actions"] if each["error"]]
    if done == TO_BE_TAKEN_BACK and status == "undoing" and errors:
        tends = document["done_by"] == "the running daemon"
        again = "the running daemon goes on trying" if tends else "mend the actuator, then ask again or start `run`"
        return f"response {name} could not be taken back ({errors[-1]}): {again}"
    if status == "approved" and response["waits_for"]:
        return f"response {name} {done}; it waits for room ({response['waits_for']}): `responses show {name}`"
    now = f"; it is {status}" if status != done else ""
    said = errors[0] if errors else response["reason"] if status == "rejected" and done != status else ""
    why = f" ({said})" if now and said else ""
    return f"response {name} {done}{now}{why}"
