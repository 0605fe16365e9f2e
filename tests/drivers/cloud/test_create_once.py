"""Things are made once, whatever the answers of the cloud."""

from __future__ import annotations

from typing import Any

import pytest

from machine.drivers import registry
from machine.drivers.cloud import errors
from machine.drivers.cloud.create_once import add_rules, create_or_find, own_name
from machine.drivers.cloud.driver import CloudDriver
from machine.errors import DriverError
from tests.drivers import contexts
from tests.drivers.cloud.test_errors import CLOUDS


class Account:
    """A cloud where each creation ends as the test says: True makes the thing, an error may have made it or not."""

    def __init__(self, *answers: bool | DriverError, present: str | None = None) -> None:
        self.answers = list(answers)
        self.present = present
        self.asked = 0

    def create(self) -> str:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, DriverError):
            raise answer
        return "made"

    def find(self) -> str | None:
        return self.present


TAKEN, BROKEN, LATE = errors.NameTaken("taken"), errors.ServiceBroken("broken"), errors.ApiTimeout("late")


def test_what_is_made_at_once_is_not_looked_for() -> None:
    account = Account(True, present="another")
    assert create_or_find(account.create, account.find) == "made"


@pytest.mark.parametrize("error", [BROKEN, LATE, errors.Unreachable("cut")])
def test_after_no_answer_it_may_be_there(error: DriverError) -> None:
    account = Account(error, present="found")
    assert create_or_find(account.create, account.find) == "found"
    assert account.asked == 1


def test_after_no_answer_it_is_asked_for_once_more() -> None:
    account = Account(BROKEN, True)
    assert create_or_find(account.create, account.find) == "made"
    account = Account(BROKEN, BROKEN, True)
    with pytest.raises(errors.ServiceBroken):
        create_or_find(account.create, account.find)
    assert account.asked == 2


def test_after_a_timeout_it_may_still_come_so_it_is_not_asked_for_again() -> None:
    account = Account(LATE, True)
    with pytest.raises(errors.ApiTimeout):
        create_or_find(account.create, account.find)
    assert account.asked == 1


def test_without_repetition_a_missing_answer_is_an_error_at_once() -> None:
    account = Account(BROKEN, True, present="found")
    with pytest.raises(errors.ServiceBroken):
        create_or_find(account.create, account.find, repeat=False)


def test_a_name_that_is_taken_by_an_earlier_try_and_by_another() -> None:
    names = errors.NAMED_ERRORS
    account = Account(TAKEN, present="found")
    assert create_or_find(account.create, account.find, ambiguous=names, repeat=False) == "found"
    account = Account(TAKEN, True)
    with pytest.raises(errors.NameTaken):
        create_or_find(account.create, account.find, ambiguous=names)
    account = Account(TAKEN, present="found")
    with pytest.raises(errors.NameTaken):  # not doubtful unless it is said
        create_or_find(account.create, account.find)


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("error", [TAKEN, BROKEN, errors.Unreachable("cut"), LATE])
def test_what_has_a_name_is_looked_for_after_every_doubtful_answer(cloud: str, error: DriverError) -> None:
    """A driver does not say which those are: it says that a thing has a name."""
    cls = registry.find(cloud)
    assert issubclass(cls, CloudDriver)
    driver: CloudDriver[Any] = cls.load(contexts.forbidding(), {})
    account = Account(error, present="found")
    assert driver.create_named(account.create, account.find) == "found"
    assert account.asked == 1


def test_rules_that_are_partly_there_are_added_one_by_one() -> None:
    present = {"22"}

    def add(rules: list[str]) -> None:
        if present & set(rules):
            raise errors.NameTaken("there is such a rule")
        present.update(rules)

    add_rules(add, ["22", "80"])
    assert present == {"22", "80"}
    add_rules(add, [])
    add_rules(add, ["443", "2376"])
    assert present == {"22", "80", "443", "2376"}


def test_own_names_tell_machines_of_one_name_apart() -> None:
    assert own_name("dev", "0123456789abcdef") == "dev-0123456789ab"
