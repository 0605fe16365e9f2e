@FUNCTIONS@
kill -HUP "@PID@"
tries=0
until engine_info @SOCKET@ | grep -q '"LiveRestoreEnabled":@VALUE@'; do
    tries=$((tries + 1))
    if [ "$tries" -ge 50 ]; then
        echo "the engine did not take live-restore=@VALUE@ from @DAEMON_JSON@" >&2
        exit 1
    fi
    sleep 0.1
done
