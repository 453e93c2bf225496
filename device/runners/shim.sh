# Starts programs, one after the other, and outlives the daemon: holds the pipes of a run open, writes down how its program ended,
# and waits until everything is read. The shell gets this by stdin, behind two variables, and after it for each run a function,
# `program`, and the call of `serve`. When the daemon is gone stdin ends, and the shim with it, but not before its run.
# It stays in the folder in which it was started, under whatever name that goes: the one of its run, or that of a spare.
# All that it writes is lines of one file, the claim. A line counts only with its newline, so none is ever half there.

# Caught, not ignored: what is ignored here would be ignored by the programs too.
trap : HUP INT TERM
read -r self </proc/self/stat || exit 75
exec 5<>done 6<>"$wake" 7<&0

# Whether the program's process has been written down: a program may end with 77 too. A torn line does not count.
has_pid() {
  while read -r word rest; do [ "$word" != pid ] || return 0; done <claim
  return 1
}

# Ends a run whose daemon has gone, which shows by the end of what that has to say: in good order, and after five seconds whatever is left of it.
guard() {
  read -r word <&7
  leader=
  while [ ! "$leader" ]; do
    [ -e claim ] || exit 0
    while read -r word pid rest; do [ "$word" != pid ] || leader=$pid; done <claim
    [ "$leader" ] || /bin/sleep 0.1
  done
  kill -TERM "$leader" "-$leader"
  /bin/sleep 5
  kill -KILL "$leader" "-$leader"
  for one in /proc/[0-9]*; do
    while read -r word; do [ "$word" != "$1" ] || kill -KILL "${one#/proc/}"; done <<END
$(tr '\0' '\n' <"$one/environ" | sed -n 's/^SKEIN_RUN=//p')
END
  done
}

serve() {
  # The claim can be made only once. Who finds it there starts nothing. 77 says that the disk did not take it, and that nothing has begun.
  set -C
  { true >claim; } 2>/dev/null || { [ -e claim ] && exit 76; exit 77; }
  set +C
  { echo "shim $boot $self" >>claim; } 2>/dev/null || exit 77
  # Read-write never blocks, and whoever dies, there is a reader and a writer left.
  exec 3<>out 4<>err

  # What has a standard input has it from the daemon, and ends with that.
  input=/dev/null guard=
  if [ -p in ]; then
    input=in
    guard "$1" 3>&- 4>&- 5>&- 6>&- 2>/dev/null &
    guard=$!
  fi

  # In the foreground: dash makes what it starts with & ignore SIGINT and SIGQUIT. The subshell becomes the program, so its own
  # stat holds the program's pid and start time before anything of the program runs.
  (
    { read -r self </proc/self/stat && echo "pid $self" >>claim; } 2>/dev/null || exit 77
    # Before it is told of: whoever hears of it may close the other end, and then this would wait for ever.
    exec <"$input"
    echo "$1 started" >&6
    exec >out 2>err 3>&- 4>&- 5>&- 6>&- 7>&-
    program
  )
  status=$?
  [ "$status" != 77 ] || has_pid || exit 77

  # On a full disk the status waits for room; in a folder that was removed nobody wants it. The newline before it ends a torn try.
  until [ ! -e claim ] || printf '\nexit %s\n' "$status" >>claim; do /bin/sleep 1; done 2>/dev/null
  echo "$1 ended" >&6
  until read -r status <&5; do :; done
  # Who has read all is there: nobody has to end anything in its place.
  [ ! "$guard" ] || kill "$guard" 2>/dev/null
  # From here on whoever has the pipes open is what the run has left behind.
  exec 3>&- 4>&-
  echo "$1 left" >&6
}
