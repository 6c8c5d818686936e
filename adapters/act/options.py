"""The options of an actuator, checked; and the secrets that they name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from agents.responder.ports import ActuatorError
from config.actuators import WebSettings
from config.complaints import complaint

Options = TypeVar("Options", bound=BaseModel)


class SetupError(ActuatorError):
    """An actuator cannot be made from its settings."""

    exit_code = 2


def options_of(model: type[Options], name: str, given: Mapping[str, Any]) -> Options:
    """The options of `[actuators.NAME]` as `model` knows them.

    Raises:
        SetupError: one is missing, unknown or does not fit.
    """
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        known = ", ".join(sorted(model.model_fields))
        raise SetupError(f"{complaint(error, below=('actuators', name))}; options of this type are {known}") from None


def token_of(name: str, options: WebSettings) -> str:
    """The bearer token that the options name; empty when they name none.

    Raises:
        SetupError: it is named and not there.
    """
    if options.token_env:
        token = os.environ.get(options.token_env, "")
        if not token:
            raise SetupError(f"setting actuators.{name}.token_env: {options.token_env} is not set in the environment")
    elif options.token_file:
        try:
            token = Path(options.token_file).expanduser().read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SetupError(f"setting actuators.{name}.token_file: {options.token_file}: {error}") from None
    else:
        return ""
    if not token.isascii() or not token.isprintable():
        raise SetupError(f"actuator {name}: its token holds characters that no header may carry")
    return token


def binding(of: str, *works_on: str) -> str:
    """Who an actuator is: its type, and a short hash of what it works on.

    >>> binding("nftables", "", "myrmidon") == binding("nftables", "edge", "myrmidon")
    False
    """
    return f"{of} {sha256(chr(10).join(works_on).encode()).hexdigest()[:8]}"
