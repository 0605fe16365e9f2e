"""What a caller of the pipeline may add: a backend that can say something of itself before it is opened."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from machine.swarm.http.address import Address
from machine.swarm.pipeline import Backend

if TYPE_CHECKING:
    from machine.swarm.backends import BackendContext


class BackendFactory(ABC):
    """Opens one backend. The caller hands it in under a name, with whatever it was made from (such as a store)."""

    summary: ClassVar[str]  # one line for the list of backends
    listens: ClassVar[bool] = False  # whether clients can call it, so that it may be the first of a pipeline

    @abstractmethod
    def __call__(
        self, words: Sequence[str], context: BackendContext
    ) -> contextlib.AbstractAsyncContextManager[Backend]:
        """Return what opens and closes the backend; `words` is what stood after its name. UsageError."""

    def engine_address(self, words: Sequence[str]) -> Address | None:
        """Return where the one engine behind the backend is; None if it is not one engine, or not known yet."""
        del words
        return None
