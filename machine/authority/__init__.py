"""The store's certificate authority and client pair: made once, under a lock; kept whole; renewed in time.

    authority = ensure(store_root)
    pair = authority.issue_server("dev", ["192.0.2.7", "localhost"])

What a docker client uses for a machine are the copies in machines/NAME (so that an imported machine may have
another CA); this package makes the originals in certs/ and hands renewed client pairs on to those copies.
"""

from __future__ import annotations

from machine.authority.authority import Authority, check_can_issue, check_names, ensure, needs_renewal
from machine.authority.bootstrap import CertPaths

__all__ = ["Authority", "CertPaths", "check_can_issue", "check_names", "ensure", "needs_renewal"]
