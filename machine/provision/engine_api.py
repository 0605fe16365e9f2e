"""The engine's API as a script on the machine asks it: over the engine's own socket, and never for longer than a limit.

By curl where there is one (`docker info` runs every plugin of the client), else by the client. The client is told
the socket each time: DOCKER_HOST and a context of root's lead elsewhere.
"""

from __future__ import annotations

import shlex

from machine.provision import script_files

DEFAULT_SOCKET = "/var/run/docker.sock"
DEFAULT_PID_FILE = "/var/run/docker.pid"

# A busy engine with thousands of containers takes seconds for /info; one that stands still never answers.
ASK_SECONDS = 10

UP_SECONDS = 30  # from the start of an engine to its first answer; one with many containers loads them first

NO_ANSWER = 75  # the exit status of `wait_until_up` for an engine that runs and does not answer yet (EX_TEMPFAIL)

START_SEEN_SECONDS = 5  # from a start to the first sight of the process, whatever the program has to do before

# limited, engine_info and engine_answers: shell functions.
FUNCTIONS = script_files.read("engine_api", ask_seconds=ASK_SECONDS)

# OpenRC calls an engine started that ended at once, and its supervise-daemon starts one anew a few times.
PROCESS_FUNCTIONS = script_files.read("engine_process", most_unseen=START_SEEN_SECONDS * 5)


def wait_until_up(socket: str, alive: str = "true") -> str:
    """Return a command that ends when the engine answers. Needs FUNCTIONS.

    It exits with NO_ANSWER after UP_SECONDS, and with 1 when `alive` fails.
    """
    return f"""\
until=$(($(date +%s) + {UP_SECONDS}))
until engine_answers {shlex.quote(socket)}; do
    {alive} || {{ echo "the engine ended soon after its start" >&2; exit 1; }}
    [ "$(date +%s)" -lt "$until" ] \\
        || {{ echo "the engine does not answer after {UP_SECONDS} s" >&2; exit {NO_ANSWER}; }}
    sleep 0.2
done
"""
