for name in @NAMES@; do
    unit=machine-swarm-$name.service
    pid=$(systemctl show "$unit" -p MainPID | sed 's/^MainPID=//')
    setup=
    if [ "${pid:-0}" != 0 ] && [ -r "/proc/$pid/environ" ]; then
        setup=$(tr '\0' '\n' <"/proc/$pid/environ" | sed -n 's/^@CONFIG_DIGEST@=//p')
    fi
    echo "$name|$(systemctl is-active "$unit" || true) $(systemctl is-enabled "$unit" 2>/dev/null || true) $setup"
done
