"""E-mail over SMTP. The Message-ID derives from the alert's key, so that a second copy is the same message.

Mails of one incident hang together (`References`). A mail that one recipient took is delivered: trying it again would
send it once more to those who have it. The receipt names the recipients that the server refused. Lines
of headers cannot be smuggled in: telemetry is cleaned first.
"""

from __future__ import annotations

import smtplib
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import formatdate
from typing import Final

from adapters.notify.secret import read_secret
from adapters.notify.tls import reason, tls_context
from adapters.notify.words import headline, plain_text
from agents.responder.notices import Notice, NotifyError
from config.alerts import SmtpSettings
from domain.values import SECOND, Level

PRIORITY: Final[dict[Level, str]] = {"critical": "1 (Highest)", "high": "2 (High)", "medium": "3 (Normal)", "low": "5"}

NAMED: Final = 5
"""Refused recipients that a receipt names."""


class Smtp:
    """A channel of kind `smtp`."""

    kind = "smtp"

    def __init__(self, name: str, settings: SmtpSettings) -> None:
        self.name = name
        self._settings = settings

    def send(self, notice: Notice) -> str:
        """Hand the mail to the server."""
        password = read_secret(self._settings)
        mail = message(notice, self._settings)
        try:
            with self._session(password) as session:
                refused = session.send_message(mail)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise self._error(error) from None
        return receipt(str(mail["Message-ID"]), list(refused))

    def close(self) -> None:
        """Each mail has a session of its own."""

    def _session(self, password: str) -> smtplib.SMTP:
        settings = self._settings
        session: smtplib.SMTP
        if settings.security == "tls":
            context = tls_context(settings.ca_file)
            session = smtplib.SMTP_SSL(settings.host, settings.port, timeout=settings.timeout, context=context)
        else:
            session = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout)
        try:
            if settings.security == "starttls":
                session.starttls(context=tls_context(settings.ca_file))
            if settings.user:
                session.login(settings.user, password)
        except BaseException:
            session.close()
            raise
        return session

    def _error(self, error: Exception) -> NotifyError:
        host = self._settings.host
        match error:
            case smtplib.SMTPAuthenticationError():
                return NotifyError(f"{host}: refuses user or password ({error.smtp_code})")
            case smtplib.SMTPRecipientsRefused():
                codes = sorted({code for code, _ in error.recipients.values()})
                passing = all(code < 500 for code in codes)
                return NotifyError(f"{host}: refused every recipient ({codes[0]})", of_channel=passing)
            case smtplib.SMTPResponseException():
                passing = error.smtp_code < 500
                return NotifyError(f"{host}: answered {error.smtp_code} to the mail", of_channel=passing)
            case smtplib.SMTPNotSupportedError():
                return NotifyError(f"{host}: does not offer what the settings ask for: check security and user")
            case smtplib.SMTPServerDisconnected() if "timed out" in str(error):
                return NotifyError(f"{host}: no answer in time")
            case smtplib.SMTPException():
                return NotifyError(f"{host}: what it answered is no SMTP ({type(error).__name__})")
            case OSError():
                return NotifyError(f"{host}: {reason(error)}")
            case _:
                return NotifyError(f"{host}: the mail could not be written ({type(error).__name__})", of_channel=False)


def receipt(message_id: str, refused: Sequence[str]) -> str:
    """What is recorded of a mail that at least one recipient took.

    >>> receipt("<1@x>", []), receipt("<1@x>", ["a@x"])
    ('<1@x>', '<1@x>; refused for a@x')
    """
    if not refused:
        return message_id
    more = f" and {len(refused) - NAMED} more" if len(refused) > NAMED else ""
    return f"{message_id}; refused for {', '.join(refused[:NAMED])}{more}"


def message(notice: Notice, settings: SmtpSettings) -> EmailMessage:
    """The mail."""
    domain = settings.sender.rpartition("@")[2].rstrip(">") or "myrmidon"
    mail = EmailMessage(policy=WIRE)
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.recipients)
    mail["Subject"] = f"[Myrmidon] {headline(notice, 180)}"
    mail["Date"] = formatdate(notice.occurred_at / SECOND)
    mail["Message-ID"] = f"<{notice.key}@{domain}>"
    mail["References"] = f"<incident-{notice.incident}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Priority"] = PRIORITY[notice.level]
    mail["X-Myrmidon-Incident"] = str(notice.incident)
    mail.set_content(plain_text(notice))
    return mail
