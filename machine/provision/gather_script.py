"""The one question asked of a machine before anything is decided: a script that only reads.

It prints lines `KEY|TEXT`; a key on several lines has several lines of text. It must not call `docker` while
docker.service is down: even `docker --version` of an old client opens the socket, and systemd then starts the
old unit. The running engine is asked over its socket, by curl where there is one (docker info runs every CLI plugin).

Every create and provision waits for it, and each process that it starts costs a millisecond or more: what the shell
can read and compare itself, it does. It reads from files and not from pipes or here-documents, which take a process.
"""

from __future__ import annotations

from machine.provision import engine_api, script_files
from machine.provision.host_files import (
    BOOT2DOCKER,
    CERTIFICATES,
    CONF_D,
    DAEMON_JSON,
    DROP_IN,
    KEPT_SUFFIX,
    MANAGED,
    TRANSACTION,
    WATCHED,
)
from machine.provision.steps import Run

WAIT_SECONDS = 60  # for another run's changes to be complete or taken back

LARGEST_VARIABLES = 65536  # bytes of a file of variables for the engine; a page of them is long

_SCRIPT = engine_api.FUNCTIONS + script_files.read(
    "gather",
    watched=" ".join(WATCHED),
    managed=" ".join(MANAGED),
    daemon_json=DAEMON_JSON,
    kept=KEPT_SUFFIX,
    drop_in=DROP_IN,
    drop_in_directory=DROP_IN.rpartition("/")[0],
    conf_d=CONF_D,
    boot2docker=BOOT2DOCKER,
    certificates=CERTIFICATES,
    transaction=TRANSACTION,
    wait_tries=WAIT_SECONDS * 5,
    largest_variables=LARGEST_VARIABLES,
    default_socket=engine_api.DEFAULT_SOCKET,
    default_pid_file=engine_api.DEFAULT_PID_FILE,
)

GATHER_SCRIPT = Run("look at the machine", _SCRIPT, needs_output=True, seconds=120.0)
