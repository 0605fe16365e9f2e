"""How many files, which connections are too, this process may have open."""

from __future__ import annotations

import contextlib

UNKNOWN = 1024  # what is assumed where the system does not say


def raise_limit() -> int:
    """Use as many open files as the system allows without asking root, and return how many that is."""
    try:
        import resource
    except ImportError:
        return UNKNOWN
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        soft = most
    return UNKNOWN if soft == resource.RLIM_INFINITY else soft
