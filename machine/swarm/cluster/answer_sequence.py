"""Which of an engine's answers are newer: several lists may be under way at once, and come in another order. Pure."""

from __future__ import annotations

from collections import deque

MAX_REMOVALS = 1_000  # removals; a list that is older than so many of them has long come in


class AnswerSequence:
    """Numbers the questions, and remembers for each thing (a container's id, a kind) which answer was the last."""

    def __init__(self) -> None:
        self._count = 0
        self._known: dict[str, int] = {}
        self._removed: deque[str] = deque()

    def begin(self) -> int:
        """Return the number of a question that is asked now."""
        self._count += 1
        return self._count

    def is_old(self, key: str, question: int) -> bool:
        """Whether more is known of a thing than when the question of that number was asked."""
        return question < self._known.get(key, 0)

    def accept(self, key: str, question: int) -> bool:
        """Whether the answer to that question is not old; then it is what is known of the thing from now on."""
        if question < self._known.get(key, 0):
            return False
        self._known[key] = question
        return True

    def remove(self, key: str) -> None:
        """Note that a thing is no more: what was asked before may still list it."""
        self._known[key] = self._count + 1
        self._removed.append(key)
        if len(self._removed) > MAX_REMOVALS:
            oldest = self._removed.popleft()
            if oldest not in self._removed:
                self._known.pop(oldest, None)
