import type { ServiceVerb } from './order.ts'

const common = `  --unit-name NAME   the name of the unit (default skein-device)
  --dry-run          only tell what would be done; needs no root
  --json             print one JSON document
  --help             this text

It exits with 0 when all is done, 1 when something failed, 2 for wrong usage, 3 when it will not: not root, no systemd.
`

/** The helps of the verbs that see to the service of systemd. */
export const serviceHelp: Record<ServiceVerb, string> = {
  install: `Usage: sudo skein device install [flags] [settings of the daemon]

Has systemd run the device of this machine, from now on and after each boot, and waits until it is ready. To install once more with
other settings is fine: what runs goes on.

  --url URL          the broker, if this machine has not joined a fleet yet
  --token TOKEN      a join token, or a device's token; it is put into a file that only the daemon can read
  --join-token-file FILE
                     a file with the join token, which may come later
  --name NAME        the device's name (default: the one it has joined as, or that of the machine)
  --data DIR         its data folder (default /var/lib/skein)
  …                  and every other setting of "skein device --help"

  --prefix DIR       where the program is copied to (default /opt/skein); DIR/current is a link to the release in use
  --in-place         run it from where it is now, without a copy
  --env NAME=VALUE   a variable for the daemon; more than once
  --user USER        the user that it runs as (default root)
  --timeout SECONDS  how long to wait until it is ready (default 60)
${common}`,
  upgrade: `Usage: sudo skein device upgrade [flags]

Replaces the program of the service by the one that is called, and the daemon by a new one, which takes over what runs: nothing of that
is stopped. A new daemon that is not ready in time makes room for the old one again. Of a service in place, build it there first.

  --from DIR         a built Skein in another folder
  --timeout SECONDS  how long to wait until it is ready (default 30)
${common}`,
  uninstall: `Usage: sudo skein device uninstall [flags]

Ends what the device runs, within its grace, and takes service and program away. The data stays.

  --purge            remove the device's data too: its identity, its memory, output that was not sent yet
${common}`,
}
