"""TLS of all channels: certificates are always verified; a CA file of one's own can be named."""

from __future__ import annotations

import ssl

from agents.responder.notices import NotifyError


def tls_context(ca_file: str) -> ssl.SSLContext:
    """A context that verifies certificate and host name.

    Raises:
        NotifyError: the CA file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise NotifyError(f"ca_file {ca_file}: cannot be used ({reason(error)})") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def reason(error: BaseException) -> str:
    """Why a connection failed, in a few words, without addresses of ours."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message or error.reason}; name its CA in ca_file"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'no common version'}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return type(error).__name__
