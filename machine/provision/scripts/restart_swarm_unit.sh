began=$(date +%s)
unit=machine-swarm-@NAME@.service
systemctl -q --no-reload enable "$unit" 2>/dev/null
systemctl daemon-reload
systemctl restart "$unit"
tries=0
until @IS_UP@; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || [ "$(systemctl is-active "$unit")" != active ]; then
        busy=$(systemctl is-active "$unit" || true)
        journalctl -u "$unit" -n 20 --no-pager -o cat >&2 || true
        [ "$busy" != active ] \
            || echo "${unit%.service} did not answer within $(($(date +%s) - began)) s after its restart" >&2
        exit 1
    fi
    sleep 0.2
done
