waited=0
while [ -e /var/lib/pacman/db.lck ] && [ "$waited" -lt @LOCK_SECONDS@ ]; do
    waited=$((waited + 3))
    sleep 3
done
