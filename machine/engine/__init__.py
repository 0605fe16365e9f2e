"""The Docker Engine API over TLS: is it there, which version, what does it say of itself.

One question is one connection with one deadline. `ask_many` asks any number of engines at once (`ls`).
/_ping and /version need no version in their path; every other path gets the newest that both sides know
(https://docs.docker.com/reference/api/engine/#versioned-api-and-sdk). Engines from 20.10 (1.41) on.
"""

from __future__ import annotations

from machine.engine.client import EngineClient
from machine.engine.tls import Tls
from machine.engine.versions import Answer, ask_many

__all__ = ["Answer", "EngineClient", "Tls", "ask_many"]
