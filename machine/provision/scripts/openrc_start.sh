started() { # started SECONDS COMMAND: fails too when the engine ends soon after its start
    before_start
    limited "$@" || return 1
    until=$(($(date +%s) + @UP_SECONDS@))
    until engine_answers @SOCKET@ || [ "$(date +%s)" -ge "$until" ]; do
        goes_on || return 1
        sleep 0.2
    done
}
