"""Regular expressions matched in time that is linear in the text, whatever the expression is. Pure.

Python's `re` tries one way after another, which takes exponential time for some expressions. Go, in which classic Swarm
was written, follows all ways at the same time (https://swtch.com/~rsc/regexp/regexp1.html). So does this: the tree that
Python's parser makes becomes a nondeterministic automaton, whose sets of states are made as they are met and kept.
What needs memory of the text (backreferences, look-around, possessive repeats) is refused, as by Go.
"""

from __future__ import annotations

import re
from re import _compiler, _constants, _parser  # type: ignore[attr-defined]  # the library's own parser, compiler
from typing import Any

MOST_STATES = 1000  # of one automaton; counted repeats are written out. Go's limit for a repeat is 1000, too
_KEPT = 4096  # states and transitions that one automaton remembers, about 300 KiB
_QUICK_LETTERS = 256  # of a text that `re` may search, which takes up to _QUICK_WAYS * n * n / 2 steps
_QUICK_WAYS = 8
_LETTERS = (_constants.LITERAL, _constants.NOT_LITERAL, _constants.ANY, _constants.IN)  # each matches one letter
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)
_REFUSED = {
    _constants.GROUPREF: "a backreference",
    _constants.GROUPREF_EXISTS: "a condition on a group",
    _constants.ASSERT: "look-around",
    _constants.ASSERT_NOT: "look-around",
    _constants.ATOMIC_GROUP: "an atomic group",
    _constants.POSSESSIVE_REPEAT: "a possessive repeat",
}


class LinearRegex:
    """One compiled expression. `re.error`, OverflowError or RecursionError for text that is none or is refused."""

    def __init__(self, text: str) -> None:
        parsed = _parser.parse(text)
        self.automaton = Automaton(parsed)
        ways, open_repeats = _count_ways(parsed)
        self._quick = re.compile(text) if ways <= _QUICK_WAYS and open_repeats <= 1 else None

    def search(self, text: str) -> bool:
        """Whether the expression matches anywhere in a text."""
        if self._quick is not None and len(text) <= _QUICK_LETTERS:
            return self._quick.search(text) is not None
        return self.automaton.search(text)


def _count_ways(tree: Any) -> tuple[float, int]:
    """How many ways `re` may try at one place, and how many repeats without a limit each of them has, at most."""
    ways, open_repeats = 1.0, 0
    for operator, argument in tree:
        more, opened = 1.0, 0
        if operator is _constants.SUBPATTERN:
            more, opened = _count_ways(argument[-1])
        elif operator is _constants.BRANCH:
            branches = [_count_ways(body) for body in argument[1]]
            more, opened = sum(count for count, _ in branches), max(count for _, count in branches)
        elif operator in _REPEATS:
            more, opened = _repeat_ways(*argument)
        ways, open_repeats = ways * more, open_repeats + opened
    return ways, open_repeats


def _repeat_ways(least: int, most: int, body: Any) -> tuple[float, int]:
    while len(body) == 1 and body[0][0] is _constants.SUBPATTERN:
        body = body[0][1][-1]
    if len(body) != 1 or body[0][0] not in _LETTERS:
        return float("inf"), 0
    return (1.0, 1) if most == _constants.MAXREPEAT else (float(most - least + 1), 0)


class _StateSet:
    """States that an automaton is in at the same time, and where each letter leads from there."""

    __slots__ = ("accepting", "after", "assertions", "members", "resolved")

    def __init__(self, members: frozenset[int], assertions: list[int]) -> None:
        self.members = members
        self.accepting = 0 in members
        self.assertions = assertions  # states that only a place in the text opens: ^ $ \b
        self.after: dict[str, _StateSet] = {}
        self.resolved: dict[tuple[int, ...], _StateSet] = {}


class Automaton:
    """A nondeterministic automaton; state 0 accepts.

    Each state has a test and the states that follow it: a letter or a place in the text passes the test, or there is
    none and the next states hold at once.
    """

    def __init__(self, parsed: Any) -> None:
        self._next: list[tuple[int, ...]] = [()]
        self._tests: list[re.Pattern[str] | None] = [None]
        self._places: set[int] = set()  # states whose test is of a place, and takes no letter
        self._beginnings: set[int] = set()  # those of them that only the beginning of the text passes
        self._work = 0
        self._compiled: dict[tuple[str, int], re.Pattern[str]] = {}
        self._first = self._closure({self._sequence(parsed, parsed.state.flags, 0)})
        self._forget()

    def search(self, text: str) -> bool:
        """Whether a text has a match anywhere."""
        current = self._state_set(self._first)
        for position, letter in enumerate(text):
            if current.assertions:
                current = self._resolve(current, text, position)
            if current.accepting or not current.members:
                return current.accepting
            current = current.after.get(letter) or self._step(current, letter)
        if current.assertions:
            current = self._resolve(current, text, len(text))
        return current.accepting

    def _step(self, current: _StateSet, letter: str) -> _StateSet:
        """What holds after a letter; a match may also begin there."""
        found: set[int] = set()
        for state in current.members:
            test = self._tests[state]
            if test is not None and state not in self._places and test.match(letter):
                found.update(self._next[state])
        after = self._state_set((self._closure(found) | self._first) - self._beginnings)
        current.after[letter] = after
        self.remembered += 1
        return after

    def _resolve(self, current: _StateSet, text: str, position: int) -> _StateSet:
        """What holds once the assertions that are true at this place are passed."""
        passed: set[int] = set()
        while True:
            fresh = tuple(
                state
                for state in current.assertions
                if state not in passed and self._tests[state].match(text, position)  # type: ignore[union-attr]
            )
            if not fresh:
                return current
            passed.update(fresh)
            found = current.resolved.get(fresh)
            if found is None:
                opened = self._closure({after for state in fresh for after in self._next[state]})
                found = current.resolved[fresh] = self._state_set(current.members | opened)
                self.remembered += len(fresh)
            current = found

    def _closure(self, states: set[int]) -> frozenset[int]:
        """The given states and all that are reached from them without reading a letter."""
        reached: set[int] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state not in reached:
                reached.add(state)
                if self._tests[state] is None:
                    waiting.extend(self._next[state])
        return frozenset(reached)

    def _state_set(self, members: frozenset[int]) -> _StateSet:
        state_set = self._sets.get(members)
        if state_set is None:
            if self.remembered > _KEPT:
                self._forget()
            state_set = self._sets[members] = _StateSet(members, sorted(members & self._places))
            self.remembered += len(members)
        return state_set

    def _forget(self) -> None:
        self._sets: dict[frozenset[int], _StateSet] = {}
        self.remembered = 0

    def _sequence(self, tree: Any, flags: int, next_state: int) -> int:
        """Add the states of a parsed sequence that is followed by state `next_state`; returns its first state."""
        self._count()
        for operator, argument in reversed(list(tree)):
            next_state = self._item(operator, argument, flags, next_state)
        return next_state

    def _item(self, operator: Any, argument: Any, flags: int, next_state: int) -> int:
        if operator in _LETTERS or operator is _constants.AT:
            state = self._add((next_state,), self._test(operator, argument, flags))
            if operator is _constants.AT:
                self._places.add(state)
                at_line = argument is _constants.AT_BEGINNING and flags & re.MULTILINE
                if argument in (_constants.AT_BEGINNING, _constants.AT_BEGINNING_STRING) and not at_line:
                    self._beginnings.add(state)
            return state
        if operator is _constants.SUBPATTERN:
            _, on, off, body = argument
            return self._sequence(body, (flags | on) & ~off, next_state)
        if operator is _constants.BRANCH:
            return self._add(tuple(self._sequence(body, flags, next_state) for body in argument[1]))
        if operator in _REPEATS:
            least, most, body = argument
            return self._repeat((least, most), body, flags, next_state)
        raise re.error(f"{_REFUSED.get(operator, str(operator).lower())} cannot be matched in linear time")

    def _repeat(self, times: tuple[int, int], body: Any, flags: int, next_state: int) -> int:
        least, most = times
        first = next_state
        if most == _constants.MAXREPEAT:
            first = self._add(())
            self._next[first] = (self._sequence(body, flags, first), next_state)
        else:
            for _ in range(most - least):
                first = self._add((self._sequence(body, flags, first), next_state))
        for _ in range(least):
            first = self._sequence(body, flags, first)
        return first

    def _add(self, following: tuple[int, ...], test: re.Pattern[str] | None = None) -> int:
        self._count()
        self._next.append(following)
        self._tests.append(test)
        return len(self._next) - 1

    def _count(self) -> None:
        self._work += 1
        if self._work > 2 * MOST_STATES or len(self._next) > MOST_STATES:
            raise re.error(f"it takes more than {MOST_STATES} states: write it shorter, or with smaller repeats")

    def _test(self, operator: Any, argument: Any, flags: int) -> re.Pattern[str]:
        """One letter or place of the expression compiled by itself, so that it means here what it means to `re`."""
        key = (f"{operator} {argument}", flags)
        if key not in self._compiled:
            state = _parser.State()
            state.flags = flags
            self._compiled[key] = _compiler.compile(_parser.SubPattern(state, [(operator, argument)]))
        return self._compiled[key]
