"""A channel that lets no secret out: whatever its receiver or an error says is cleaned of it."""

from __future__ import annotations

from contextlib import suppress

from adapters.notify.secret import read_secret, without
from adapters.notify.words import shortened
from agents.responder.notices import Channel, Notice, NotifyError
from config.alerts import ChannelSettings


class Discreet:
    """A channel around another. Errors that nobody thought of are named by their type alone."""

    def __init__(self, inner: Channel, settings: ChannelSettings) -> None:
        self.name = inner.name
        self.kind = inner.kind
        self._inner = inner
        self._settings = settings

    def send(self, notice: Notice) -> str:
        """Tell it."""
        try:
            return self._cleaned(self._inner.send(notice))
        except NotifyError as error:
            said = self._cleaned(str(error))
            raise NotifyError(said, of_channel=error.of_channel, retry_after=error.retry_after) from None
        except Exception as error:  # noqa: BLE001 - one alert that cannot be told must not end the channel's thread
            raise NotifyError(f"the alert could not be told ({type(error).__name__})", of_channel=False) from None

    def close(self) -> None:
        """Let go of connections."""
        self._inner.close()

    def _cleaned(self, text: str) -> str:
        secret = ""
        with suppress(NotifyError):
            secret = read_secret(self._settings)
        return shortened(without(text, secret), 300)
