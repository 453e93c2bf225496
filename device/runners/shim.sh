# Starts one program and outlives the daemon: holds its pipes open, writes down how it ended, waits until everything is read.
# Runs in the folder of the run; $1 is the run, SKEIN_SHIM the boot id, a blank, and the text that becomes the program.
# The environment is the program's own, so nothing here relies on PATH and no other variable is touched.
# All that it writes is lines of one file, the claim. A line counts only with its newline, so none is ever half there.

# The claim can be made only once. Who finds it there starts nothing.
set -C -- "$1" "$SKEIN_SHIM"
read -r SKEIN_SHIM </proc/self/stat || exit 75
{ echo "shim ${2%% *} $SKEIN_SHIM" >claim; } 2>/dev/null || exit 76
set +C

# Caught, not ignored: what is ignored here would be ignored by the program too.
trap : HUP INT TERM
# Read-write never blocks, and whoever dies, there is a reader and a writer left.
exec 3<>out 4<>err 5<>done

poke() {
  [ -p ../.wake ] && echo "$1" 1<>../.wake
}

# In the foreground: dash makes what it starts with & ignore SIGINT and SIGQUIT. The subshell becomes the program, so its own
# stat holds the program's pid and start time before anything of the program runs.
(
  { read -r SKEIN_SHIM </proc/self/stat && echo "pid $SKEIN_SHIM" >>claim; } || exit 125
  poke "$1"
  eval "${2#* }"
) </dev/null >out 2>err 3>&- 4>&- 5>&-
SKEIN_SHIM=$?

# On a full disk the status waits for room; in a folder that was removed nobody wants it. The newline before it ends a torn try.
until [ ! -e claim ] || printf '\nexit %s\n' "$SKEIN_SHIM" >>claim; do /bin/sleep 1; done 2>/dev/null
poke "$1"
until read -r SKEIN_SHIM <&5; do :; done
