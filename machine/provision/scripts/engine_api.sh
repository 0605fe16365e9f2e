limited() { # limited SECONDS COMMAND: status 124 or 143 when it took longer; without `timeout` there is no limit
    if timeout 1 true 2>/dev/null; then timeout "$@"; else shift; "$@"; fi
}
engine_info() { # engine_info SOCKET: /info as JSON; fails where the engine does not answer
    if command -v curl >/dev/null 2>&1; then
        curl -sf --max-time @ASK_SECONDS@ --unix-socket "$1" http://docker/info
    else
        limited @ASK_SECONDS@ docker -H "unix://$1" info --format '{{json .}}' 2>/dev/null
    fi
}
engine_answers() { # engine_answers SOCKET: an answer without a ServerVersion is the client's, not the engine's
    engine_info "$1" | grep -q '"ServerVersion":"[^"]'
}
