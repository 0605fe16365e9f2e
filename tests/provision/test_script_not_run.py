"""Why a script did not run, told from what came back; the lab's hosts say the same of real causes."""

from __future__ import annotations

import pytest

from machine.errors import ProvisionError
from machine.process import Completed
from machine.provision import script_not_run
from machine.provision.error_names import fill_in, names_in_errors

SCRIPT = "main() {\n    mark=@0123456789abcdef\n    printf 'DB_PASS=hush-hush for the engine' >/x\n}\nmain\n"


@pytest.mark.parametrize(
    ("said", "brief"),
    [
        ("sudo: sorry, you must have a tty to run sudo", "requiretty"),
        ("Password change required but no TTY available.", "has expired, so it runs nothing"),
        ("sudo: Account or password is expired, reset your password and try again", "has expired"),
        ("Your account has expired; please contact your system administrator", "has expired or is locked"),
        ("sudo: a password is required", "cannot become root"),
        ("bob is not in the sudoers file.", "cannot become root"),
        ("doas: Operation not permitted", "cannot become root"),
        ("neither root nor sudo", "neither sudo nor doas"),
        (">>> /etc/sudoers.d/x: syntax error near line 1 <<<\nsudo: parse error", "sudoers file has an error"),
        ("sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set", "lost its rights"),
        ("This account is currently not available.", "no login shell"),
        ("/home/u/.bashrc: line 9: exec: other: not found", "starts another program"),
    ],
)
def test_each_cause_has_its_own_words(said: str, brief: str) -> None:
    found = script_not_run.known_refusal(Completed(1, "", said), SCRIPT)
    assert found is not None
    assert brief in found.brief
    assert found.resolution


def test_the_three_that_say_nothing_are_told_apart_by_one_question() -> None:
    done = Completed(0, "Welcome to the backup box\n")
    works = script_not_run.unknown_refusal(done, SCRIPT, Completed(0, f"{script_not_run.PROBE_MARK}-command\n"))
    other = script_not_run.unknown_refusal(done, SCRIPT, Completed(0, f"echo {script_not_run.PROBE_MARK}-stdin\n"))
    forced = script_not_run.unknown_refusal(done, SCRIPT, Completed(0, "Welcome to the backup box\n"))
    assert len({works.resolution, other.resolution, forced.resolution}) == 3
    assert "command=..." in forced.resolution
    assert "Welcome" in forced.details


def test_our_script_is_never_shown() -> None:
    said = f"{SCRIPT}\nfish: Unknown command: printf 'DB_PASS=hush-hush for the engine' >/x\na note\n"
    found = script_not_run.unknown_refusal(Completed(1, said), SCRIPT, Completed(1))
    assert "hush" not in found.details
    assert "main" not in found.details
    assert "a note" in found.details


def test_output_has_bounds() -> None:
    found = script_not_run.unknown_refusal(Completed(1, "<html>" * 99999 + "\nx" * 999), SCRIPT, Completed(1))
    assert len(found.details) < 10_000


def test_advice_gets_the_real_names() -> None:
    assert fill_in("machine ssh NAME; ssh USER@ADDRESS; $NAMES", "dev", "bob", "192.0.2.1") == (
        "machine ssh dev; ssh bob@192.0.2.1; $NAMES"
    )
    with pytest.raises(ProvisionError) as caught, names_in_errors("dev", "bob", "192.0.2.1"):
        raise ProvisionError("the account USER is off", resolution="machine provision NAME")
    assert (str(caught.value), caught.value.resolution) == ("the account bob is off", "machine provision dev")
