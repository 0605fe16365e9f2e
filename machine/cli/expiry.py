"""The warning of certificates that end soon, by the date in the record: no certificate is read for it."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from machine.cli.app import App
    from machine.store import Record

DAYS = 30  # before the end, as in certs.SOON


def warn(app: App, records: Iterable[Record]) -> None:
    """Warn of each machine one of whose certificates has ended, or ends within DAYS."""
    now, soon = _stamp(time.time()), _stamp(time.time() + DAYS * 86400)
    for record in records:
        end = record.certificates_end
        if end and end < soon:
            verb = "ended" if end < now else "end"
            app.console.warn(
                f"the certificates of {record.name} {verb} on {end[:10]};"
                f" renew them: machine regenerate-certs --client-certs {record.name}"
            )


def _stamp(seconds: float) -> str:
    """A time as Record.certificates_end writes it, so that texts compare as times do."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
