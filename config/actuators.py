"""Who carries actions out: `[actuators.NAME]`, and where playbooks come from: `[playbooks]`.

Rules:
    1. Playbooks name actuators by the part that they play: `firewall`, `dns`, `ticketing`; the settings say what
       plays it.
    2. What is not set plays dry run: it records what would have been done, and touches nothing.
    3. Secrets are named here (a variable of the environment, or a file), never written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

PARTS: Final = ("firewall", "dns", "ticketing")
"""The parts that the shipped playbooks name."""

ActuatorTable = dict[str, dict[str, Any]]
"""Name of an actuator -> its `type` and the options of that type."""

BOUND: Final[ActuatorTable] = {part: {"type": "dry-run"} for part in PARTS}
"""What plays each part as long as nothing is set."""


def bound(given: Mapping[str, Mapping[str, Any]]) -> ActuatorTable:
    """The settings of every actuator: those that were given, and dry run for the other parts.

    >>> bound({"firewall": {"type": "nftables"}})["firewall"], bound({})["dns"]
    ({'type': 'nftables'}, {'type': 'dry-run'})
    """
    return {**BOUND, **{name: dict(options) for name, options in given.items()}}


class PlaybookSettings(BaseModel):
    """Where playbooks come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dir: str = Field(default="", description="Folder of your own playbooks: every `*.json` in it. Empty: none.")
    shipped: bool = Field(default=True, description="Whether the playbooks that come with the house are loaded too.")


class DryRunSettings(BaseModel):
    """Records what would have been done, in the home; touches nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["dry-run"] = "dry-run"


class NftablesSettings(BaseModel):
    """The kernel's packet filter, through `nft`. Needs root (CAP_NET_ADMIN)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["nftables"] = "nftables"
    program: str = Field(default="nft", description="The `nft` program.")
    netns: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_.-]{0,64}$",
        description="Network namespace to work in (`ip netns exec`). Empty: the one of the daemon.",
    )
    table: str = Field(
        default="myrmidon",
        pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}$",
        description="Its table of the family `inet`: nobody else should write to it.",
    )
    reach: tuple[str, ...] = Field(
        default=(),
        description="Networks that a contained host may still talk to (its managers, patch servers): a list, or a text "
        "with commas.",
    )
    rate: int = Field(default=10, ge=1, description="New connections a second that all slowed addresses share.")
    burst: int = Field(default=20, ge=1, description="New connections that may exceed the rate at once.")
    timeout: float = Field(default=5.0, gt=0.0, description="Seconds that a call of `nft` may take.")

    @field_validator("reach", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        """From the environment a list comes as a text."""
        return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given

    @field_validator("reach")
    @classmethod
    def _networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(one)) for one in given)


class WebSettings(BaseModel):
    """What all that speak HTTPS share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^https?://", description="Where to. `http://` is taken for this machine alone.")
    ca_file: str = Field(default="", description="Certificates to trust (PEM) instead of the system's.")
    token_env: str = Field(default="", description="Variable of the environment that holds the bearer token.")
    token_file: str = Field(default="", description="File that holds the bearer token.")
    timeout: float = Field(default=10.0, gt=0.0, le=300.0, description="Seconds that an exchange may take in all.")


class OpenC2Settings(WebSettings):
    """A consumer of OpenC2 commands over HTTPS: a firewall, a DNS filter, an orchestrator."""

    type: Literal["openc2-http"] = "openc2-http"
    sender: str = Field(default="myrmidon", description="Who the command says that it is from (header `From`).")


class TicketSettings(WebSettings):
    """A ticket system's webhook."""

    type: Literal["ticket"] = "ticket"
    close_url: str = Field(
        default="", description="Where a ticket is closed; `{ticket}` and `{action}` are filled in. Empty: `url`."
    )
    status_url: str = Field(
        default="", description="Where to ask whether a ticket is open. Empty: what was acknowledged last counts."
    )


TYPES: Final[dict[str, type[BaseModel]]] = {
    "dry-run": DryRunSettings,
    "nftables": NftablesSettings,
    "openc2-http": OpenC2Settings,
    "ticket": TicketSettings,
}
"""The options of our own actuators, by type."""
