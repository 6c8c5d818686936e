"""What an operator may set, and where it is read from.

Rules:
    1. Sources, the first that names a setting wins: the environment (`MYRMIDON_RUN__BATCH_ROWS=500`), the file given by
       `--config` or `<home>/config.toml`, and the defaults written here.
    2. `settings_version` covers what decisions depend on (detector, thresholds, responder, assets, seed) and nothing
       that only shapes latency: the same decisions under other batch sizes have the same version.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from agents.detector.policy import Policy as DetectorPolicy
from agents.responder.assets import CLASSES
from agents.responder.policy import Policy as ResponderPolicy
from config.actuators import ActuatorTable, PlaybookSettings
from config.alerts import AlertSettings
from config.assets import AssetSettings
from config.bounds import wrong
from config.complaints import PREFIX, complaint, origin
from config.dsn import WANTED, is_dsn
from config.planning import PlanningSettings
from config.response import ResponseSettings
from domain.errors import MyrmidonError
from domain.thresholds import Thresholds


class ConfigError(MyrmidonError):
    """A configuration file or setting that cannot be used."""

    exit_code = 2


class LogSettings(BaseModel):
    """Where the log is: `log.db` in the home, or a PostgreSQL database."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dsn: str = Field(
        default="",
        description="Empty for `log.db` in the home, else `postgresql://USER@HOST/NAME` or `host=HOST dbname=NAME`; "
        "`schema=NAME` in it names the schema (`myrmidon`).",
    )

    @field_validator("dsn")
    @classmethod
    def _names_postgres(cls, dsn: str) -> str:
        if dsn and not is_dsn(dsn):
            raise ValueError(WANTED)
        return dsn


class RunSettings(BaseModel):
    """How the daemon goes about its work. None of it changes a decision."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_rows: int = Field(default=1_000, ge=1, le=100_000, description="Rows of a micro-batch at most.")
    batch_wait: float = Field(default=0.01, ge=0.0, le=10.0, description="Seconds to wait for a micro-batch to fill.")
    idle_release: float = Field(
        default=60.0, gt=0.0, description="Seconds after which an idle live log no longer holds back the others."
    )
    silent_after: float = Field(
        default=300.0, gt=0.0, description="Seconds after which a feed without rows degrades health."
    )
    health_every: float = Field(
        default=30.0, gt=0.0, description="Seconds between two looks at the health of a live run."
    )
    checkpoint_every: float = Field(
        default=3600.0, gt=0.0, description="Seconds between two signed checkpoints of a live run."
    )
    snapshot_rows: int = Field(default=500_000, ge=1, description="Rows between two snapshots of the working state.")
    view_rows: int = Field(
        default=20_000,
        ge=1,
        description="Rows after which the views follow while a feed is being read as fast as it can be.",
    )


class RulesSettings(BaseModel):
    """Where Sigma rules come from. What they say has a version of its own, the rule-set version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dir: str = Field(default="", description="Folder of your own rules: every `*.yml` in it and below. Empty: none.")
    shipped: bool = Field(default=True, description="Whether the rules that come with the house are loaded too.")
    reload_every: float = Field(
        default=5.0, gt=0.0, description="Seconds between two looks at whether the rules have changed, in a live run."
    )


class Settings(BaseSettings):
    """All settings, typed and checked."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True, env_ignore_empty=True
    )

    log: LogSettings = LogSettings()
    run: RunSettings = RunSettings()
    detector: DetectorPolicy = DetectorPolicy()
    thresholds: Thresholds = Thresholds()
    responder: ResponderPolicy = ResponderPolicy()
    assets: AssetSettings = AssetSettings()
    rules: RulesSettings = RulesSettings()
    alerts: AlertSettings = AlertSettings()
    response: ResponseSettings = ResponseSettings()
    playbooks: PlaybookSettings = PlaybookSettings()
    actuators: ActuatorTable = Field(default_factory=dict)
    planning: PlanningSettings = PlanningSettings()
    seed: int = 0
    """Seed of everything that is fitted."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment comes before the file, which is handed over as arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)

    @model_validator(mode="after")
    def _approvals_can_fit(self) -> Settings:
        """A rule of approval about a class that no asset can have would ask nobody, ever."""
        known = {"", "inside", "outside", *CLASSES, *(entry.label for entry in self.assets.known.values())}
        for number, rule in enumerate(self.response.approvals):
            if rule.asset_class not in known:
                names = ", ".join(sorted(known - {""}))
                raise ValueError(f"response.approvals.{number}.asset_class: no asset is {rule.asset_class!r}: {names}")
        return self

    @property
    def settings_version(self) -> str:
        """First 12 hex digits of the SHA-256 over the settings that decisions depend on."""
        decisive = {
            "detector": asdict(self.detector),
            "thresholds": asdict(self.thresholds),
            "responder": asdict(self.responder),
            "assets": self.assets.model_dump(),
            "seed": self.seed,
        }
        return sha256(json.dumps(decisive, sort_keys=True, default=list).encode()).hexdigest()[:12]


def load_settings(file: Path | None) -> Settings:
    """Settings from a TOML file (None: defaults and environment only).

    Raises:
        ConfigError: the file is missing, is not TOML, or holds a setting that does not exist or does not fit.
    """
    values = read_toml(file) if file is not None else {}
    _check_names(file, values)
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and "__" in name:
            _check_names(name, _nested(name[len(PREFIX) :].lower().split("__")))
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise ConfigError(complaint(error, file)) from None
    for place, value, right in wrong({"detector": settings.detector, "thresholds": settings.thresholds}):
        raise ConfigError(f"{origin(place, file)}: setting {'.'.join(place)} is {value!r}: {right}")
    return settings


def _check_names(source: Path | str | None, values: Mapping[str, Any]) -> None:
    """Refuse a section that does not exist, or a setting of one."""
    for section, part in values.items():
        if section not in Settings.model_fields:
            known = ", ".join(sorted(Settings.model_fields))
            raise ConfigError(f"{source}: there is no setting [{section}]; known are {known}")
        _known_only(source, section, part, Settings.model_fields[section].default)


def _nested(path: Sequence[str]) -> dict[str, Any]:
    """The table that a setting is in.

    >>> _nested(["run", "batch_rows"])
    {'run': {'batch_rows': {}}}
    """
    return {path[0]: _nested(path[1:])} if path else {}


def _known_only(source: Path | str | None, where: str, values: Any, default: Any) -> None:
    """Refuse a setting that does not exist: a typo that changes nothing would be worse than an error."""
    if not isinstance(values, dict) or not is_dataclass(default):
        return
    known = {f.name for f in fields(default)}
    for name, part in values.items():
        if name not in known:
            raise ConfigError(f"{source}: there is no setting {where}.{name}; known are {', '.join(sorted(known))}")
        _known_only(source, f"{where}.{name}", part, getattr(default, name))


def read_toml(file: Path) -> dict[str, Any]:
    """The tables of a TOML file."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}); check --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not valid TOML ({error})") from None
