unit=machine-swarm-@NAME@.service
systemctl -q --no-reload enable "$unit" 2>/dev/null
systemctl daemon-reload
systemctl restart "$unit"
tries=0
until @IS_UP@; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || [ "$(systemctl is-active "$unit")" != active ]; then
        journalctl -u "$unit" -n 20 --no-pager -o cat >&2 || true
        exit 1
    fi
    sleep 0.2
done
