"""Secrets of channels: read from the environment or a file when they are needed, and never shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from agents.responder.notices import NotifyError
from config.alerts import ChannelSettings

HIDDEN: Final = "***"


def read_secret(settings: ChannelSettings) -> str:
    """The secret as it is now, so that a changed one works without a restart; empty when none is named.

    Raises:
        NotifyError: it is not where the settings say.
    """
    if settings.secret_file:
        try:
            secret = Path(settings.secret_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise NotifyError(f"secret_file {settings.secret_file}: cannot be read ({why})") from None
        return _there(secret, f"secret_file {settings.secret_file} is empty")
    if settings.secret_env:
        secret = os.environ.get(settings.secret_env, "").strip()
        return _there(secret, f"the environment variable {settings.secret_env} is not set")
    return ""


def _there(secret: str, missing: str) -> str:
    if not secret:
        raise NotifyError(f"{missing}: put the channel's secret there")
    if not secret.isprintable():
        raise NotifyError("the channel's secret holds control characters: store it as one line of text")
    return secret


def without(text: str, secret: str) -> str:
    """Text in which the secret, or what it ends with (a token in a URL), does not stand.

    >>> without("POST /services/T0/B0/abcdefgh failed", "https://x/services/T0/B0/abcdefgh")
    'POST /services/T0/B0/*** failed'
    """
    parts = [secret, secret.rpartition("/")[2]]
    for part in parts:
        if len(part) >= 4:
            text = text.replace(part, HIDDEN)
    return text
