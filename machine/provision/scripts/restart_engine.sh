began=$(date +%s) # of the log only what comes from now on is about this start
@FUNCTIONS@
again() (
set -e
@RESTART@
@WAIT_UNTIL_UP@
)
set +e
again 2>@TRANSACTION@/why
status=$?
waited=$(($(date +%s) - began))
set -e
while [ "$status" -eq 0 ] && read -r unit; do # what stopped with the engine, which a stop before a start leaves off
    limited 60 systemctl start "$unit" || true
done <@TRANSACTION@/dependents
if [ "$status" -ne 0 ]; then
    busy=$(unanswered)
    @LOG@ >&2 || true
    if [ -n "$busy" ]; then
        echo "the engine did not answer within $waited s after its restart ($busy)" >&2
    else
        cat @TRANSACTION@/why >&2
        echo "the engine did not start with the new configuration" >&2
    fi
    exit 1
fi
