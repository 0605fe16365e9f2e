"""X.509 for a CA and the machines under it, and nothing else: no files, no machines, no clock but the one given.

    ca = make_ca("me")
    server = make_server(ca, "me.dev", ["dev", "192.0.2.7", "2001:db8::7"])
    client = make_client(ca, "me")

Keys and certificates travel as PEM bytes. Everything that can go wrong with the input is a CertsError, which
is a ValueError. Profile of the certificates: RFC 5280; what TLS clients check of them: RFC 6125 and RFC 9525.
"""

from certs.errors import CertsError, IssuerUnfit, KeyLocked, NameNotAllowed, NotPem
from certs.inspection import CertFacts, belongs_together, describe, issued_by
from certs.issue import CA_DAYS, LEAF_DAYS, make_ca, make_client, make_server
from certs.names import is_name
from certs.pem import Pair
from certs.renewal import SOON, needs_renewal

__all__ = [
    "CA_DAYS",
    "LEAF_DAYS",
    "SOON",
    "CertFacts",
    "CertsError",
    "IssuerUnfit",
    "KeyLocked",
    "NameNotAllowed",
    "NotPem",
    "Pair",
    "belongs_together",
    "describe",
    "is_name",
    "issued_by",
    "make_ca",
    "make_client",
    "make_server",
    "needs_renewal",
]
