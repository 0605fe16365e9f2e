"""The Docker Engine API over TLS: is it there, which version, what does it say of itself.

Each request has a connection and a deadline of its own. `ask_many` asks any number of engines at once (`ls`).
/_ping and /version need no version in their path; every other path gets the newest that both sides know
(https://docs.docker.com/reference/api/engine/#versioned-api-and-sdk), 1.24 at least.
"""

from __future__ import annotations

from machine.engine.client import EngineClient
from machine.engine.tls import Tls
from machine.engine.versions import Answer, ask_many

__all__ = ["Answer", "EngineClient", "Tls", "ask_many"]
