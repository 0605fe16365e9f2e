"""Whatever is in config.json, it is a good record or RecordBroken, and never another exception."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from machine.errors import RecordBroken
from machine.store import Record, Store

SEED = 20150326
FILES = 1000
ORIGINALS = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "data").rglob("config.json"))]
ODD: list[Any] = [
    None, True, False, 0, -1, 3, 1.5, 1e308, 10**30, -(10**400), "", "x", "-", "\x00", "\u202e", "../../etc/passwd",
    "tcp://[", "[::1", "a" * 5000, "é", "C:\\", "/", [], {}, [None], [[]], [1], ["a", 2], {"": {}}, {"IPAddress": []},
]  # fmt: skip


def use(record: Record) -> None:
    """Everything that a command may ask of a good record, and the way back to the disk."""
    for answer in (record.address(), record.url(), record.ssh_key_path(), record.cert_dir(), record.driver_name):
        answer.encode()
        assert "\n" not in answer
    assert isinstance(record.machine_id, str)
    assert record.reached("recorded")
    record.engine_options()
    record.swarm_options()
    endpoint = record.endpoint()
    assert endpoint is None or 0 <= endpoint.ssh_port < 65536
    again = Record.parse(record.encode(), record.root, record.name)
    assert again.raw == record.raw
    json.dumps(record.redacted())


def damaged(chance: random.Random) -> bytes:
    data = chance.choice(ORIGINALS)
    kind = chance.randrange(6)
    if kind == 0:
        return data[: chance.randrange(len(data))]
    if kind == 1:
        flipped = bytearray(data)
        for _ in range(chance.randint(1, 20)):
            flipped[chance.randrange(len(flipped))] = chance.randrange(256)
        return bytes(flipped)
    if kind == 2:
        return chance.randbytes(chance.randrange(300))
    if kind == 3:
        start, end = sorted(chance.randrange(len(data)) for _ in range(2))
        return data[:start] + data[end:]
    raw = json.loads(data)
    for _ in range(chance.randint(1, 4)):
        replace(raw, chance)
    return json.dumps(raw, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")


def replace(raw: dict[str, Any], chance: random.Random) -> None:
    """Put something odd somewhere in the tree, or drop or rename a key."""
    holder: Any = raw
    while True:
        if not holder:
            return
        key = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
        if isinstance(holder[key], dict | list) and holder[key] and chance.random() < 0.8:
            holder = holder[key]
            continue
        break
    act = chance.random()
    if act < 0.6 or isinstance(holder, list):
        holder[key] = copy.deepcopy(chance.choice(ODD))
    elif act < 0.8:
        del holder[key]
    else:
        holder[str(key).swapcase()] = holder.pop(key)


def test_a_thousand_damaged_files_in_one_store(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 (to be repeated, not to be secret)
    store = Store(str(tmp_path))
    for number in range(FILES):
        directory = tmp_path / "machines" / f"m{number}"
        directory.mkdir(parents=True)
        (directory / "config.json").write_bytes(damaged(chance))
    good = bad = 0
    for name in store.names():
        try:
            use(store.load(name))
            good += 1
        except RecordBroken as error:
            bad += 1
            assert name in error.brief
            assert error.details
            assert error.resolution
            f"{error.brief}{error.details}{error.resolution}".encode()
    assert good + bad == FILES
    assert good > 100  # the damage is not so great that only the first check is tried
    assert bad > 300


KNOWN = (
    "ConfigVersion Driver DriverName HostOptions Name Machine EngineOptions SwarmOptions AuthOptions IPAddress SSHPort"
    " SSHKeyPath StorePath CertDir Labels Env Phase URL driver sshport PrivateKeyPath SwarmHost SwarmMaster"
)
KEYS = st.sampled_from(KNOWN.split())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["none", "/a/machines/b", 3]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner, max_size=8),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=8), st.integers(0, 4))
def test_any_tree_of_json(raw: dict[str, Any], version: int) -> None:
    raw = {"DriverName": "generic", "Driver": {}, **raw, "ConfigVersion": version}
    try:
        record = Record.parse(json.dumps(raw).encode(), "/store", "dev")
    except RecordBroken:
        return
    use(record)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    try:
        use(Record.parse(data, "/store", "dev"))
    except RecordBroken:
        return
