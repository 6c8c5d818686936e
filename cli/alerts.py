"""`myrmidon alerts`: who was told of what, whether it arrived, and whether a channel works."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID, uuid4

import typer

from cli.context import context_of
from cli.output import emit, fail, short, table, when
from cli.reading import Entity, LevelOption, Limit, Since, Until, answer_list, now, one, opened
from domain.values import shown_risk

if TYPE_CHECKING:
    from config.settings import Settings

StatusOption = Annotated[
    Literal["routed", "held", "failed", "delivered", "dead", "suppressed", "escalated"] | None,
    typer.Option(help="Only this status."),
]
ALERT = Annotated[str, typer.Argument(help="Its id, or how it begins.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Who was told of incidents, and whether it arrived.", no_args_is_help=True)
    group.command("list")(list_alerts)
    group.command("show")(show)
    group.command("test")(try_out)
    group.command("retry")(retry)
    app.add_typer(group, name="alerts")


def list_alerts(
    ctx: typer.Context,
    *,
    since: Since = None,
    until: Until = None,
    entity: Entity = None,
    level: LevelOption = None,
    status: StatusOption = None,
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
    incident: Annotated[str | None, typer.Option(help="Only this incident (how its id begins).")] = None,
    limit: Limit = 100,
) -> None:
    """Alerts, the latest first."""
    answer_list(
        ctx,
        "alerts",
        lambda views: views.list_alerts,
        as_table,
        since=since,
        until=until,
        entity=entity,
        level=level,
        status=status,
        channel=channel,
        incident=incident,
        limit=limit,
    )


def as_table(alerts: list[dict[str, Any]], totals: dict[str, int]) -> Any:
    """The list for people."""
    if not alerts:
        if total := totals["alerts"]:
            return f"none of the {total:,} alerts fits: loosen the options"
        return "no alerts: nobody was to be told; channels and routes are set in [alerts], see docs/alerts.md"
    rows = [
        (short(a["id"]), a["state"], a["channel"], a["level"], when(a["created_at"]), a["attempts"],
         a["title"] + (f" ({said})" if (said := a["reason"] or a["error"]) and a["state"] != "delivered" else ""))
        for a in alerts
    ]  # fmt: skip
    return table(("ID", "STATUS", "CHANNEL", "LEVEL", "ROUTED", "TRIES", "WHAT"), rows, right=("TRIES",))


def show(ctx: typer.Context, alert: ALERT) -> None:
    """One alert: why it was routed, every attempt, what its receiver said."""
    from projections.alerts import document

    with opened(ctx) as reading:
        _, row = one(reading, alert, ("alerts",))
        history = reading.journal.read_stream(f"alert/{row['id']}")
    facts = [{"at": when(each.occurred_at), "what": each.fact.kind, "by": each.actor} for each in history]
    emit(ctx, {**document(row), "history": facts}, describe)


def describe(alert: dict[str, Any]) -> str:
    """The alert for people."""
    lines = [
        f"Alert {alert['id']} (its idempotence key)",
        f"{alert['state']}  channel {alert['channel']}  by route {alert['route']!r}  {alert['trigger'] or '-'}",
        f"{alert['level'].upper()} {shown_risk(alert['risk'])}  {alert['title']}",
        f"Incident {alert['incident']}: `myrmidon incidents show {short(alert['incident'])}`",
        f"Attempts: {alert['attempts']}",
    ]
    told = {
        "Held until": alert["not_before"] and when(alert["not_before"]),
        "Delivered": alert["delivered_at"] and f"{when(alert['delivered_at'])} in {alert['milliseconds']:.0f} ms",
        "Receipt": alert["receipt"],
        "Last error": alert["error"],
        "Kept back": alert["reason"],
        "Changes it stands for": alert["grouped"],
        "Kept back before it": alert["withheld"],
        "Nobody answered; told next": ", ".join(map(short, alert["escalated_to"])),
    }
    lines += [f"{name}: {value}" for name, value in told.items() if value]
    lines += ["", *(f"  {each['at']}  {each['what']}" for each in alert["history"])]
    if alert["state"] == "dead":
        lines += ["", f"Try again: `myrmidon alerts retry {short(alert['id'])}`"]
    return "\n".join(lines)


def try_out(ctx: typer.Context, channel: Annotated[str, typer.Argument(help="Name of the channel.")]) -> None:
    """Send a marked test alert through a channel now, and say what its receiver answered."""
    from adapters.notify import make_channel
    from agents.responder.notices import NotifyError

    settings = _settings(ctx)
    found = settings.alerts.channels.get(channel)
    if found is None:
        known = ", ".join(settings.alerts.channels) or "none is; see docs/alerts.md"
        raise typer.BadParameter(f"there is no channel {channel!r}; set up: {known}", param_hint="'channel'")
    made = make_channel(channel, found)
    document: dict[str, Any] = {"channel": channel, "kind": found.kind, "delivered": True, "error": None}
    begun = time.perf_counter()
    try:
        document["receipt"] = made.send(test_notice(now()))
    except NotifyError as error:
        document |= {"delivered": False, "error": str(error), "receipt": None}
    finally:
        made.close()
    document["milliseconds"] = round((time.perf_counter() - begun) * 1e3, 1)
    emit(ctx, document, describe_test)
    raise typer.Exit(0 if document["delivered"] else 1)


def test_notice(at: int) -> Any:
    """The alert of a test: marked as one, about a host of the documentation's network."""
    from agents.responder.notices import Notice

    key = uuid4()
    return Notice(
        key=key,
        incident=key,
        trigger="opened",
        level="low",
        risk=0.0,
        title="Myrmidon can reach this channel",
        entities=("192.0.2.1",),
        kinds=(),
        threats=(),
        threat_count=0,
        opened_at=at,
        occurred_at=at,
        test=True,
    )


def describe_test(document: dict[str, Any]) -> str:
    """The answer in words."""
    name = f"channel {document['channel']} ({document['kind']})"
    if document["delivered"]:
        return (
            f"{name}: delivered in {document['milliseconds']:.0f} ms; it answered: {document['receipt'] or 'nothing'}"
        )
    return f"{name}: not delivered: {document['error']}"


def retry(ctx: typer.Context, alert: ALERT) -> None:
    """Let a dead letter be tried again, by the daemon or the next run."""
    from scheduler import desk

    with opened(ctx) as reading:
        _, row = one(reading, alert, ("alerts",))
        if row["state"] != "dead":
            fail(f"alert {short(row['id'])} is {row['state']}: only a dead letter can be tried again")
        positions = desk.retry_alert(
            reading.journal,
            UUID(row["id"]),
            row["channel"],
            cause=uuid4(),
            now=now(),
            actor=f"operator:{getpass.getuser()}",
        )
    emit(ctx, {"alert": row["id"], "positions": positions}, lambda d: f"alert {short(d['alert'])} will be tried again")


def _settings(ctx: typer.Context) -> Settings:
    from config.settings import load_settings

    return load_settings(context_of(ctx).where().config_file)
