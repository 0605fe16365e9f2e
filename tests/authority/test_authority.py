"""One CA and one client pair per store, whatever happens while they are made."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import certs
from machine import authority, lock
from machine.errors import CertificateError, UsageError
from tests.certs.handshake import client_context, handshake, server_context

NOW = datetime.now(UTC)
FOUR = ["ca-key.pem", "ca.pem", "cert.pem", "key.pem"]

ENSURE = """
import sys
from machine import authority
print(authority.ensure(sys.argv[1]).ca.decode())
"""

# Kills itself at the n-th rename, and says how many there were when it gets to the end.
KILLED = """
import os, signal, sys
from machine import authority
store, last, seen = sys.argv[1], int(sys.argv[2]), 0
def hook(event, arguments):
    global seen
    if event == "os.rename":
        seen += 1
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
authority.ensure(store)
"""

# At every file operation, looks whether any file with a private key in it can be read by others.
WATCHED = """
import os, sys
from machine import authority
store, checks, busy = sys.argv[1], 0, False
os.umask(0)
def hook(event, arguments):
    global checks, busy
    if busy or event not in ("open", "os.rename", "os.chmod", "os.listdir", "os.mkdir"):
        return
    busy = True
    for place, _, names in os.walk(store):
        assert os.stat(place).st_mode & 0o077 == 0 or place == store, place
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                private = b"PRIVATE" in file.read()
            mode = os.stat(path).st_mode & 0o777
            assert not (private and mode & 0o077), (path, oct(mode))
            assert mode in (0o600, 0o644), (path, oct(mode))
            checks += 1
    busy = False
sys.addaudithook(hook)
authority.ensure(store)
print(checks)
"""


def certs_dir(store: str) -> Path:
    return Path(store, "certs")


def sound(found: authority.Authority) -> bool:
    """CA and pair belong together, are what is on disk, and are accepted in a handshake."""
    server = found.issue_server("dev", ["192.0.2.7"])
    handshake(server_context(server, found.ca), client_context(found.client, found.ca), "192.0.2.7")
    here = certs_dir(found.store_root)
    return found.ca == (here / "ca.pem").read_bytes() and found.client.key == (here / "key.pem").read_bytes()


def machine_copy(store: str, name: str, ca: bytes, client: certs.Pair | None = None) -> Path:
    here = Path(store, "machines", name)
    here.mkdir(parents=True)
    (here / "ca.pem").write_bytes(ca)
    if client is not None:
        (here / "cert.pem").write_bytes(client.cert)
        (here / "key.pem").write_bytes(client.key)
    return here


def test_first_use_makes_four_files_with_their_modes(store: str) -> None:
    found = authority.ensure(store)
    modes = {path.name: path.stat().st_mode & 0o777 for path in certs_dir(store).iterdir()}
    assert modes == {"ca.pem": 0o644, "ca-key.pem": 0o600, "cert.pem": 0o644, "key.pem": 0o600}
    assert certs_dir(store).stat().st_mode & 0o777 == 0o700
    assert found.notes == []
    assert found.warnings() == []
    assert sound(found)


def test_the_second_use_changes_nothing(store: str) -> None:
    first = authority.ensure(store)
    before = {path.name: path.stat().st_mtime_ns for path in certs_dir(store).iterdir()}
    second = authority.ensure(store)
    assert (second.ca, second.ca_key, second.client) == (first.ca, first.ca_key, first.client)
    assert before == {path.name: path.stat().st_mtime_ns for path in certs_dir(store).iterdir()}


def test_eight_first_uses_at_once_agree(store: str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", ENSURE, store], stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    answers = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8
    assert len(set(answers)) == 1
    assert answers[0].strip() == (certs_dir(store) / "ca.pem").read_text().strip()
    assert sorted(os.listdir(certs_dir(store))) == FOUR
    assert sound(authority.ensure(store))


def test_kill_9_at_every_step_is_healed(store: str) -> None:
    steps = 0
    while True:
        steps += 1
        here = f"{store}-{steps}"
        done = subprocess.run([sys.executable, "-c", KILLED, here, str(steps)], capture_output=True)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert sound(authority.ensure(here))
        assert [name for name in os.listdir(certs_dir(here)) if name.startswith(".")] == []
    assert steps == 5, "two keys and two certificates are four renames"


def test_keys_are_never_readable_by_others(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WATCHED, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


@pytest.mark.parametrize("half", ["ca.pem", "ca-key.pem"])
@pytest.mark.parametrize("length", [0, 30, 100])
def test_a_ca_cut_short_that_nothing_uses_is_made_anew(store: str, half: str, length: int) -> None:
    first = authority.ensure(store)
    for name in ("cert.pem", "key.pem"):
        (certs_dir(store) / name).unlink()
    broken = certs_dir(store) / half
    broken.write_bytes(broken.read_bytes()[:length])
    again = authority.ensure(store)
    assert sound(again)
    assert again.ca != first.ca
    assert "half there" in again.notes[0]
    assert (certs_dir(store) / (half + ".bak")).exists()


def test_a_lost_ca_certificate_comes_back_from_a_machine(store: str) -> None:
    first = authority.ensure(store)
    machine_copy(store, "dev", first.ca)
    (certs_dir(store) / "ca.pem").write_bytes(first.ca[:50])
    again = authority.ensure(store)
    assert again.ca == first.ca
    assert again.client == first.client
    assert "restored from the copy of machine dev" in again.notes[0]
    assert sound(again)


def test_without_the_ca_key_all_goes_on_but_issuing(store: str) -> None:
    first = authority.ensure(store)
    (certs_dir(store) / "ca-key.pem").unlink()
    found = authority.ensure(store)
    assert (found.ca, found.client) == (first.ca, first.client)
    with pytest.raises(CertificateError, match=r"ca-key\.pem is not here") as caught:
        found.issue_server("dev", ["192.0.2.7"])
    assert "--tls-ca-key" in caught.value.resolution
    with pytest.raises(CertificateError, match=r"ca-key\.pem is not here"):
        found.renew_client()
    assert sorted(os.listdir(certs_dir(store))) == ["ca.pem", "cert.pem", "key.pem"]


def test_without_the_ca_key_a_machines_copy_keeps_the_ca(store: str) -> None:
    first = authority.ensure(store)
    machine_copy(store, "dev", first.ca)
    for name in ("ca-key.pem", "cert.pem", "key.pem"):
        (certs_dir(store) / name).unlink()
    with pytest.raises(CertificateError, match="no certificate can be issued"):
        authority.ensure(store)
    assert (certs_dir(store) / "ca.pem").read_bytes() == first.ca


def test_a_ca_and_key_that_do_not_fit_are_left_alone(store: str) -> None:
    authority.ensure(store)
    other = certs.make_ca("other")
    (certs_dir(store) / "ca-key.pem").write_bytes(other.key)
    with pytest.raises(CertificateError, match="cannot be used together") as caught:
        authority.ensure(store)
    assert "does not belong" in caught.value.details
    assert (certs_dir(store) / "ca-key.pem").read_bytes() == other.key


def test_a_client_pair_of_another_ca_is_made_again_with_a_warning(store: str) -> None:
    first = authority.ensure(store)
    stranger = certs.make_client(certs.make_ca("x"), "x")
    (certs_dir(store) / "cert.pem").write_bytes(stranger.cert)
    (certs_dir(store) / "key.pem").write_bytes(stranger.key)
    again = authority.ensure(store)
    assert again.ca == first.ca
    assert again.notes == ["the client certificate is not issued by this CA: made a new one"]
    assert sound(again)


def test_a_client_key_that_is_another_ones_is_made_again(store: str) -> None:
    authority.ensure(store)
    (certs_dir(store) / "key.pem").write_bytes(certs.make_ca("x").key)
    assert "its key do not fit" in authority.ensure(store).notes[0]
    (certs_dir(store) / "key.pem").unlink()
    again = authority.ensure(store)
    assert "not both there" in again.notes[0]
    assert sound(again)


def test_a_client_pair_is_renewed_in_its_last_30_days_and_handed_on(store: str) -> None:
    first = authority.ensure(store)
    foreign = certs.make_ca("x")
    mine = machine_copy(store, "mine", first.ca, first.client)
    theirs = machine_copy(store, "theirs", foreign.cert, certs.make_client(foreign, "x"))
    before = (theirs / "cert.pem").read_bytes()
    assert authority.ensure(store, now=NOW + timedelta(days=790)).client == first.client
    later = authority.ensure(store, now=NOW + timedelta(days=800))
    assert later.ca == first.ca
    assert later.client != first.client
    assert "the client certificate ends on" in later.notes[0]
    assert later.updated == ["mine"]
    assert (mine / "cert.pem").read_bytes() == later.client.cert
    assert (mine / "key.pem").read_bytes() == later.client.key
    assert (mine / "key.pem").stat().st_mode & 0o777 == 0o600
    assert (theirs / "cert.pem").read_bytes() == before
    assert (certs_dir(store) / "cert.pem.bak").read_bytes() == first.client.cert
    assert (certs_dir(store) / "key.pem.bak").read_bytes() == first.client.key
    assert (certs_dir(store) / "key.pem.bak").stat().st_mode & 0o777 == 0o600


def test_a_delivery_that_was_cut_short_is_finished_by_the_next_command(store: str) -> None:
    first = authority.ensure(store)
    first.renew_client()
    old = certs.Pair(*((certs_dir(store) / f"{name}.pem.bak").read_bytes() for name in ("cert", "key")))
    mine = machine_copy(store, "mine", first.ca, old)
    (mine / "key.pem").write_bytes(first.client.key)  # killed between a key and its certificate
    found = authority.ensure(store)
    assert found.updated == ["mine"]
    assert (mine / "cert.pem").read_bytes() == first.client.cert
    assert authority.ensure(store).updated == []


def test_a_ca_near_its_end_is_warned_of_and_renewed_on_demand(store: str) -> None:
    first = authority.ensure(store)
    old = machine_copy(store, "old", first.ca, first.client)
    late = NOW + timedelta(days=3630)
    found = authority.ensure(store, now=late)
    assert found.ca == first.ca
    assert [warning.split(" of")[0] for warning in found.warnings(late)] == ["the CA", "the client certificate"]
    assert re.search("in (19|20) days: `machine regenerate-certs --client-certs NAME", found.warnings(late)[0])
    held = (old / "cert.pem").read_bytes()
    found.renew_client(now=late)
    assert found.ca != first.ca
    assert found.warnings(late) == []
    assert (certs_dir(store) / "ca.pem.bak").read_bytes() == first.ca
    assert (certs_dir(store) / "ca-key.pem.bak").stat().st_mode & 0o777 == 0o600
    assert (old / "ca.pem").read_bytes() == first.ca, "a machine keeps what it was made with"
    assert (old / "cert.pem").read_bytes() == held
    assert certs.issued_by(found.client.cert, found.ca)


def test_a_ca_that_has_ended_is_replaced(store: str) -> None:
    first = authority.ensure(store)
    found = authority.ensure(store, now=NOW + timedelta(days=3651))
    assert found.ca != first.ca
    assert "the CA of this store has ended" in found.notes[0]
    assert certs.issued_by(found.client.cert, found.ca)


def test_a_lost_ca_is_made_anew_and_the_machines_are_spoken_of(store: str) -> None:
    machine_copy(store, "dev", certs.make_ca("gone").cert)
    found = authority.ensure(store)
    assert "regenerate-certs" in found.notes[0]
    assert sound(found)


def test_renewing_the_client_keeps_the_ca(store: str) -> None:
    found = authority.ensure(store)
    ca, client = found.ca, found.client
    mine = machine_copy(store, "mine", ca, client)
    found.renew_client()
    assert found.ca == ca
    assert found.client != client
    assert found.updated == ["mine"]
    assert (mine / "key.pem").read_bytes() == found.client.key
    assert sound(found)


def test_a_key_that_others_could_read_is_closed(store: str) -> None:
    authority.ensure(store)
    key = certs_dir(store) / "ca-key.pem"
    key.chmod(0o644)
    found = authority.ensure(store)
    assert key.stat().st_mode & 0o777 == 0o600
    assert "readable by others" in found.notes[0]
    assert authority.ensure(store).notes == []


def test_what_a_server_certificate_carries(store: str) -> None:
    found = authority.ensure(store)
    facts = certs.describe(found.issue_server("dev", ["10.0.0.1", "2001:db8::1", "dev.example"]).cert)
    assert facts.names == ("10.0.0.1", "2001:db8::1", "dev.example", "dev", "localhost")
    assert facts.organisation.endswith(".dev")
    assert facts.usages == ("server",)
    assert certs.describe(found.issue_server("m", [], swarm_master=True).cert).usages == ("server", "client")


def test_names_that_cannot_be_carried_are_left_out_with_a_note(store: str) -> None:
    found = authority.ensure(store)
    names = ["10.0.0.1", "http://dev:80"]
    pair = found.issue_server("odd..name", names)
    assert certs.describe(pair.cert).names == ("10.0.0.1", "localhost")
    assert "'http://dev:80'" in found.notes[0]
    assert len(found.notes) == 1
    assert authority.needs_renewal(pair.cert, [*names, "odd..name"], found.ca, NOW) is None
    assert authority.needs_renewal(pair.cert, ["10.0.0.2"], found.ca, NOW) == "does not carry 10.0.0.2"
    with pytest.raises(UsageError, match="neither"):
        authority.check_names(names)
    authority.check_names(["10.0.0.1"])


def test_the_keys_do_not_show_when_printed(store: str) -> None:
    assert "PRIVATE" not in repr(authority.ensure(store))


def test_two_stores_with_one_directory_of_certificates_make_one_ca(tmp_path: Path) -> None:
    """One links to the other's: whoever is first makes it, the other waits and takes it."""
    (tmp_path / "a" / "certs").mkdir(parents=True, mode=0o700)
    (tmp_path / "b").mkdir(mode=0o700)
    (tmp_path / "b" / "certs").symlink_to(tmp_path / "a" / "certs")
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda name=name: found.append(authority.ensure(str(tmp_path / name)).ca))
        for name in "abab"
    ]
    with lock.hold(str(tmp_path / "a" / "locks" / "certs.lock"), what="test"):
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        assert found == [], "all wait for one lock"
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
