"""What can be wrong with certificates, keys and names that are handed in."""

from __future__ import annotations


class CertsError(ValueError):
    """Base of all errors of this package; the text is one sentence without secrets."""


class NotPem(CertsError):
    """The bytes are no certificate, or no private key, in PEM."""


class KeyLocked(CertsError):
    """The private key is protected by a passphrase."""


class NameNotAllowed(CertsError):
    """Neither an IP address nor a DNS name."""


class IssuerUnfit(CertsError):
    """The CA cannot issue: it is no CA, has ended, or its key is another one's."""
