end_of_log() (
set +eu
# shellcheck disable=SC1091 # OpenRC reads it too
[ ! -r @CONF_D@ ] || . @CONF_D@
log=${DOCKER_ERRFILE:-${DOCKER_LOGFILE:-/var/log/docker.log}}
[ ! -f "$log" ] || tail -n 30 "$log"
)
