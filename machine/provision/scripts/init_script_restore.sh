halt() {
    limited 60 @STOP@ || true
}
reload() {
    [ "$(was enabled)" != disabled ] || @DISABLE@ || true
}
launch() {
    ! runs_again || @LAUNCH@
}
revive() {
    :
}
runs_again() {
    [ "$(was docker_service)" = active ]
}
