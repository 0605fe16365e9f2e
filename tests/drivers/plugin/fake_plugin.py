"""A plugin in Python that answers what a test says: `install` writes the program, whose answers are in a table.

A value of the table is (type, value) of the encoding; methods that are not in it answer nothing, and succeed.
"""

from __future__ import annotations

import pickle
import socket
import sys
from pathlib import Path
from typing import Any

from machine.drivers.plugin import gob

RESPONSE = gob.Struct("Response", (("ServiceMethod", gob.STRING), ("Seq", gob.UINT), ("Error", gob.STRING)))
FLAG = gob.Struct("StringFlag", (("Name", gob.STRING), ("Usage", gob.STRING), ("Value", gob.STRING)))
ODD_FLAG = gob.Struct("StringFlag", (("Name", gob.STRING), ("Value", gob.Slice(gob.INT))))
USUAL = {
    "GetVersion": (gob.INT, 1),
    "GetConfigRaw": (gob.BYTES, b'{"MachineName":"dev"}'),
    "GetCreateFlags": (gob.Slice(gob.INTERFACE), []),
    "GetState": (gob.INT, 1),
    "GetIP": (gob.STRING, "10.0.0.5"),
    "GetSSHHostname": (gob.STRING, "10.0.0.5"),
    "GetSSHPort": (gob.INT, 22),
    "GetSSHUsername": (gob.STRING, "root"),
    "GetSSHKeyPath": (gob.STRING, ""),
    "GetURL": (gob.STRING, "tcp://10.0.0.5:2376"),
}


def install(place: Path, answers: dict[str, Any], name: str = "liar") -> str:
    """The program's path; a directory of the PATH may be its own."""
    place.mkdir(exist_ok=True)
    table = place / "answers"
    table.write_bytes(pickle.dumps({**USUAL, **answers}))
    path = place / f"docker-machine-driver-{name}"
    root = Path(__file__).parents[3]
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(root)!r})\n"
        f"from tests.drivers.plugin import fake_plugin\nfake_plugin.serve({str(table)!r})\n"
    )
    path.chmod(0o755)
    return str(path)


def serve(table: str) -> None:
    """Say where, and answer one connection to its end."""
    answers = pickle.loads(Path(table).read_bytes())  # noqa: S301 (the test's own)
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(f"127.0.0.1:{server.getsockname()[1]}", flush=True)
        connection, _ = server.accept()
    connection.recv(4096)
    connection.sendall(b"HTTP/1.0 200 Connected to Go RPC\n\n")
    decoder, encoder = gob.Decoder(), gob.Encoder()
    request: dict[str, Any] | None = None
    while piece := connection.recv(65536):
        decoder.feed(piece)
        for value in decoder.values():
            if request is None:
                request = value
                continue
            kind, answer = answers.get(request["ServiceMethod"].rpartition(".")[2], (gob.Struct(""), {}))
            head = {"ServiceMethod": request["ServiceMethod"], "Seq": request["Seq"]}
            connection.sendall(encoder.encode(RESPONSE, head) + encoder.encode(kind, answer))
            request = None
