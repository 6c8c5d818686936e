"""`myrmidon suppress`: exceptions, each with an end, a reason and a look at what it would have silenced."""

from __future__ import annotations

import getpass
import re
from dataclasses import asdict
from ipaddress import ip_network
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID, uuid4

import typer

from cli.output import emit, plural, short, table, when
from cli.reading import known_home, nothing_yet, now, one, opened, there
from domain.facts.assessment import Scope
from domain.values import DAY, HOUR, KINDS, MINUTE, Micros

if TYPE_CHECKING:
    from scheduler.exceptions import Preview

SPANS = {"m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
LONGEST = 365 * DAY
"""How long an exception lasts at most: nobody remembers why an older one was made."""


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Exceptions: what nobody needs to hear of, until when and why.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_suppressions)
    group.command("remove")(remove)
    app.add_typer(group, name="suppress")


def add(
    ctx: typer.Context,
    *,
    entity: Annotated[str, typer.Option(help="Whom the threats are about: an address or a name.")] = "",
    peer: Annotated[str, typer.Option(help="Who is on the other side.")] = "",
    network: Annotated[str, typer.Option(help="Network (CIDR) in which the entity lies.")] = "",
    kind: Annotated[str, typer.Option(help="Kind of threat, as `threats list` names it.")] = "",
    rule: Annotated[str, typer.Option(help="Id or title of the rule that matched.")] = "",
    lasting: Annotated[str, typer.Option("--for", help="How long: 30m, 12h, 7d, 4w.")] = "",
    reason: Annotated[str, typer.Option(help="Why: who comes later reads it.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it would have silenced.")] = False,
) -> None:
    """Make an exception; all that is given must fit. What it would have silenced is always shown."""
    from scheduler import exceptions
    from scheduler.bootstrap import opened as opened_home
    from scheduler.bootstrap import settle, wall_clock

    scope = scope_of(entity=entity, peer=peer, network=network, kind=kind, rule=rule)
    span = span_of(lasting, required=not dry_run)
    if not dry_run and not reason.strip():
        raise typer.BadParameter("an exception needs a reason", param_hint="--reason")
    with opened_home(known_home(ctx)) as parts:
        settle(parts)
        parts.views.catch_up(parts.journal)
        found = exceptions.preview(parts.views, scope)
        document: dict[str, Any] = {"id": None, "scope": asdict(scope), "expires_at": None, "preview": asdict(found)}
        if not dry_run:
            moment = wall_clock()
            made = exceptions.add(
                parts.journal,
                scope,
                expires_at=moment + span,
                reason=reason,
                covered=found.covered,
                cause=uuid4(),
                now=moment,
                actor=f"operator:{getpass.getuser()}",
            )
            settle(parts)
            document |= {"id": str(made), "expires_at": when(moment + span)}
    emit(ctx, document, lambda _: in_words(scope, found, document))


def scope_of(*, entity: str, peer: str, network: str, kind: str, rule: str) -> Scope:
    """The scope that the options describe."""
    if kind and kind not in KINDS:
        raise typer.BadParameter(f"there is no kind {kind!r}; kinds are {', '.join(KINDS)}", param_hint="--kind")
    if network:
        try:
            found = ip_network(network, strict=False)
        except ValueError as error:
            raise typer.BadParameter(f"{error}; give it as 10.0.0.0/8", param_hint="--network") from None
        if not found.prefixlen:
            raise typer.BadParameter(
                f"{found} is every address: one for everything would be the end of all alarms; give a smaller network",
                param_hint="--network",
            )
        network = str(found)
    scope = Scope(entity=entity, peer=peer, network=network, threat_kind=kind, rule=rule)
    if not any(asdict(scope).values()):
        raise typer.BadParameter(
            "an exception needs at least one of --entity, --peer, --network, --kind, --rule: one for everything would "
            "be the end of all alarms"
        )
    return scope


def span_of(text: str, *, required: bool) -> Micros:
    """How long an exception lasts."""
    fits = re.fullmatch(r"([1-9]\d{0,4})([mhdw])", text)
    if fits is None:
        if not text and not required:
            return 0
        raise typer.BadParameter(
            f"{text!r} is no span: give 30m, 12h, 7d or 4w; an exception always ends", param_hint="--for"
        )
    span = int(fits[1]) * SPANS[fits[2]]
    if span > LONGEST:
        raise typer.BadParameter(
            f"{text} is too long: 365d at most, make it again when it has ended", param_hint="--for"
        )
    return span


def in_words(scope: Scope, found: Preview, document: dict[str, Any]) -> str:
    """The preview, and what was done."""
    from agents.responder.exceptions import in_words as scoped

    counted = ", ".join(f"{count} {kind}" for kind, count in found.kinds.items())
    lines = [f"{scoped(scope)}: covers {found.covered:,} of {plural(found.of, 'threat')} recorded so far"]
    lines += [f"  {counted}"] if counted else []
    if found.confirmed:
        lines.append(f"  BEWARE: {found.confirmed} of them were judged correct; those stay as they are")
    lines += [
        f"  {short(t['id'])}  {t['level']:<8}  {t['risk']:>4.1f}  {t['status']:<10}  {t['title']}" for t in found.top
    ]
    if found.covered > len(found.top):
        lines.append(f"  and {found.covered - len(found.top):,} more")
    would = "resolves" if document["id"] else "would resolve"
    for incident in found.incidents:
        lines.append(f"  it {would} the open incident {short(incident)}: nothing else is in it")
    lines += ended(found, made=bool(document["id"]))
    if document["id"]:
        lines.append(f"exception {short(document['id'])} is in force until {document['expires_at']}")
        lines.append(f"take it back: `myrmidon suppress remove {short(document['id'])}`")
    else:
        lines += advice(scope, found)
        lines.append("nothing was changed (--dry-run)")
    return "\n".join(lines)


def ended(found: Preview, *, made: bool) -> list[str]:
    """What becomes of open incidents that stay, and of responses."""
    lines = []
    if found.stay:
        stays, them = ("1 threat stays", "it") if found.stay == 1 else (f"{found.stay} threats stay", "them")
        lines.append(f"  {stays} in an open incident with others, and nothing is done about {them}")
    would = "" if made else "would be "
    ends = [
        f"{plural(count, what)} {would}{done}"
        for count, what, done in (
            (found.waiting, "waiting response", "withdrawn"),
            (found.running, "running response", "taken back"),
        )
        if count
    ]
    if ends:
        lines.append(f"  {', '.join(ends)}: `myrmidon responses list`")
    return lines


WIDE: Final = 0.5
"""Share of all threats from which on a scope is probably wider than it is meant."""


def advice(scope: Scope, found: Preview) -> list[str]:
    """What to do after a look at what an exception would have silenced."""
    if not found.covered:
        return ["it covers nothing so far: see how `myrmidon threats list` spells entities and kinds"]
    if found.confirmed:
        return ["make it narrower (add --kind, --peer or --rule), so that what was judged correct is still told"]
    if found.of > 1 and found.covered >= WIDE * found.of:
        return [f"that is {found.covered / found.of:.0%} of all threats: make it narrower (--kind, --peer, --rule)"]
    words = " ".join(f"--{OPTIONS[name]} {quote(value)}" for name, value in asdict(scope).items() if value)
    return [f"make it: `myrmidon suppress add {words} --for 7d --reason WHY`"]


OPTIONS: Final = {"entity": "entity", "peer": "peer", "network": "network", "threat_kind": "kind", "rule": "rule"}
"""Field of a scope -> the option that sets it."""


def list_suppressions(
    ctx: typer.Context, *, every: Annotated[bool, typer.Option("--all", help="Also those that ended.")] = False
) -> None:
    """The exceptions in force, the newest first, and what each has silenced."""
    from projections import suppressions

    if not there(ctx):
        emit(ctx, [], lambda _: nothing_yet(ctx))
        return
    at = now()
    with opened(ctx) as reading:
        rows = reading.views.rows("suppressions", suppressions.listing(ended=every))
    found = [suppressions.document(row) | {"status": status_of(row, at)} for row in rows]
    emit(ctx, [each for each in found if every or each["status"] == "active"], as_table)


def status_of(row: dict[str, Any], at: Micros) -> str:
    """Whether an exception is active, expired or removed."""
    if row["removed_at"] is not None:
        return "removed"
    return "active" if at < row["expires_at"] else "expired"


def as_table(found: list[dict[str, Any]]) -> Any:
    """The list for people."""
    from agents.responder.exceptions import in_words as scoped

    if not found:
        return "no exception is in force: every threat is told (`suppress list --all` shows those that ended)"
    rows = [
        (short(s["id"]), s["status"], when(s["expires_at"]), s["silenced"], scoped(_scope(s)), s["reason"])
        for s in found
    ]
    return table(("ID", "STATUS", "UNTIL", "SILENCED", "WHAT", "WHY"), rows, right=("SILENCED",))


def _scope(row: dict[str, Any]) -> Scope:
    return Scope(**{name: row[name] for name in ("entity", "peer", "network", "threat_kind", "rule")})


def remove(
    ctx: typer.Context,
    suppression: Annotated[str, typer.Argument(help="Its id, or how it begins.")],
    reason: Annotated[str, typer.Option(help="Why it is over.")] = "removed by an operator",
) -> None:
    """End an exception now. What it silenced stays silenced until it goes on."""
    from scheduler import exceptions
    from scheduler.bootstrap import opened as opened_home
    from scheduler.bootstrap import settle, wall_clock

    with opened(ctx) as reading:
        _, row = one(reading, suppression, ("suppressions",))
    with opened_home(known_home(ctx)) as parts:
        position = exceptions.remove(
            parts.journal,
            UUID(row["id"]),
            reason=reason,
            cause=uuid4(),
            now=wall_clock(),
            actor=f"operator:{getpass.getuser()}",
        )
        settle(parts)
    document = {"id": row["id"], "removed": True, "position": position}
    silenced = plural(row["silenced"], "threat")
    emit(ctx, document, lambda _: f"exception {short(row['id'])} is over; it had silenced {silenced}")
