"""The versions of any number of engines, all asked at once."""

from __future__ import annotations

from functools import partial

from machine.engine.client import Engine
from machine.engine.multi_request import PendingRequest, run_all
from machine.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


class Answer:
    """What one engine of `ask_many` said: `version` (the /version object), or `error`; and how long it took."""

    __slots__ = ("engine", "error", "seconds", "version")

    def __init__(self, engine: Engine, version: dict[str, Any] | None, error: MachineError | None, seconds: float):
        self.engine, self.version, self.error, self.seconds = engine, version, error, seconds


def ask_many(engines: Iterable[Engine], ended: Callable[[Answer], None] | None = None) -> list[Answer]:
    """The version of every engine, all asked at once, in the order given; errors are part of the answers.

    `ended` is called with each answer as soon as it is there, in this thread.
    """
    answers: list[Answer] = []
    questions: list[PendingRequest] = []
    for engine in engines:
        answer = Answer(engine, None, None, 0.0)
        answers.append(answer)
        try:
            question = engine.question("/version")
        except MachineError as error:
            answer.error = error
            if ended is not None:
                ended(answer)
        else:
            question.ended = partial(_settle, answer, question, ended)
            questions.append(question)
    run_all(questions)
    return answers


def _settle(answer: Answer, question: PendingRequest, ended: Callable[[Answer], None] | None) -> None:
    """Read what a question brought into its answer."""
    answer.seconds = question.seconds
    try:
        answer.version = answer.engine.read_version(question)
    except MachineError as error:
        answer.error = error
    if ended is not None:
        ended(answer)
