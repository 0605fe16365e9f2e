"""The versions of any number of engines, all asked at once."""

from __future__ import annotations

from functools import partial

from machine.engine.client import EngineClient
from machine.engine.multi_request import PendingRequest, run_all
from machine.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


class Answer:
    """What one engine of `ask_many` said: `version` (the /version object), or `error`; and how long it took."""

    __slots__ = ("engine", "error", "seconds", "version")

    def __init__(
        self, engine: EngineClient, version: dict[str, Any] | None, error: MachineError | None, seconds: float
    ):
        self.engine, self.version, self.error, self.seconds = engine, version, error, seconds


def ask_many(engines: Iterable[EngineClient], on_answer: Callable[[Answer], None] | None = None) -> list[Answer]:
    """The version of every engine, all asked at once, in the order given; errors are part of the answers.

    `on_answer` is called with each answer as soon as it is there, in this thread.
    """
    answers: list[Answer] = []
    requests: list[PendingRequest] = []
    for engine in engines:
        answer = Answer(engine, None, None, 0.0)
        answers.append(answer)
        try:
            request = engine.new_request("/version")
        except MachineError as error:
            answer.error = error
            if on_answer is not None:
                on_answer(answer)
        else:
            request.on_end = partial(_take_answer, answer, request, on_answer)
            requests.append(request)
    run_all(requests)
    return answers


def _take_answer(answer: Answer, request: PendingRequest, on_answer: Callable[[Answer], None] | None) -> None:
    """Fill in an answer from the request that was run for it."""
    answer.seconds = request.seconds
    try:
        answer.version = answer.engine.read_version(request)
    except MachineError as error:
        answer.error = error
    if on_answer is not None:
        on_answer(answer)
