"""The engine's API as a script on the machine asks it: over the engine's own socket, and never for longer than a limit.

By curl where there is one (`docker info` runs every plugin of the client), else by the client. The client is told
the socket each time: DOCKER_HOST and a context of root's lead elsewhere.
"""

from __future__ import annotations

import shlex

DEFAULT_SOCKET = "/var/run/docker.sock"
DEFAULT_PID_FILE = "/var/run/docker.pid"

# A busy engine with thousands of containers takes seconds for /info; one that stands still never answers.
ASK_SECONDS = 10

UP_SECONDS = 30  # from the start of an engine to its first answer; one with many containers loads them first

UNSEEN_SECONDS = 5  # from a start to the first sight of the process, whatever the program has to do before

FUNCTIONS = f"""\
limited() {{ # limited SECONDS COMMAND: status 124 or 143 when it took longer; without `timeout` there is no limit
    if timeout 1 true 2>/dev/null; then timeout "$@"; else shift; "$@"; fi
}}
engine_info() {{ # engine_info SOCKET: /info as JSON; fails where the engine does not answer
    if command -v curl >/dev/null 2>&1; then
        curl -sf --max-time {ASK_SECONDS} --unix-socket "$1" http://docker/info
    else
        limited {ASK_SECONDS} docker -H "unix://$1" info --format '{{{{json .}}}}' 2>/dev/null
    fi
}}
engine_answers() {{ # engine_answers SOCKET: an answer without a ServerVersion is the client's, not the engine's
    engine_info "$1" | grep -q '"ServerVersion":"[^"]'
}}
"""

# OpenRC calls an engine started that ended at once, and its supervise-daemon starts one anew a few times.
PROCESS = f"""\
engines() {{ # the processes called dockerd, those in containers too
    grep -lx dockerd /proc/[0-9]*/comm 2>/dev/null || true
}}
before_start() {{
    before=$(engines)
    ours=
    unseen=0
}}
goes_on() {{ # whether the dockerd that was started after before_start is the same as before; a look each 0.2 s
    if [ -n "$ours" ]; then
        grep -qx dockerd "$ours" 2>/dev/null
        return
    fi
    for ours in $(engines); do
        case "$before" in *"$ours"*) ;; *) return 0 ;; esac
    done
    ours=
    unseen=$((unseen + 1))
    [ "$unseen" -le {UNSEEN_SECONDS * 5} ]
}}
"""


def wait_until_up(socket: str, alive: str = "true") -> str:
    """A command that ends when the engine answers; fails after UP_SECONDS, or when `alive` does. Needs FUNCTIONS."""
    return f"""\
until=$(($(date +%s) + {UP_SECONDS}))
until engine_answers {shlex.quote(socket)}; do
    {alive} || {{ echo "the engine ended soon after its start" >&2; exit 1; }}
    [ "$(date +%s)" -lt "$until" ] || {{ echo "the engine does not answer after {UP_SECONDS} s" >&2; exit 1; }}
    sleep 0.2
done
"""
