umask 077
@FUNCTIONS@

state=@DIRECTORY@
mkdir -p $state
cat >$state/undo <<'END_UNDO'
@UNDO@
END_UNDO
cat >$state/guard.sh <<'END_GUARD'
@GUARD@
END_GUARD
if [ ! -e $state/before ]; then (
    cd $state
    {
        note
        echo "main=$main"
        read -r name </proc/sys/kernel/hostname
        echo "kernel_name=$name"
    } >before.new
    dependents >$state/dependents
    for file in @FILES@; do [ ! -f "$file" ] || [ -s "$file" ] || echo "$file"; done >empty
    set --
    for name in hosts hostname; do [ ! -f /etc/$name ] || set -- "$@" /etc/$name; done
    [ "$#" -eq 0 ] || cp -p "$@" .
    for directory in @DIRECTORIES@; do [ -d "$directory" ] || echo "$directory"; done >directories
    mv before.new before
); fi
: >>$state/dependents
echo $$ >$state/owner
read -r stat <"/proc/$$/stat"
# shellcheck disable=SC2086 # words: condition, parent, group, session
set -- ${stat##*) }
session=$4
if [ ! -d /run/systemd/system ] || ! systemd-run -q --no-block sh $state/guard.sh $$ "$session" 2>/dev/null; then
    setsid sh $state/guard.sh $$ "$session" >/dev/null 2>&1 &
fi
for directory in @DIRECTORIES@; do [ -d "$directory" ] || (umask 022; mkdir -p "$directory"); done
set --
for file in @FILES@; do set -- "$@" "$file@KEPT@.new"; done
rm -f "$@"
for file in @FILES@; do
    if [ -e "$file@KEPT@" ] || [ -L "$file@KEPT@" ]; then continue; fi
    if [ ! -f "$file" ] && [ ! -L "$file" ]; then : >"$file@KEPT@"; continue; fi
    cp -pP "$file" "$file@KEPT@.new"
    mv -f "$file@KEPT@.new" "$file@KEPT@"
done
