import { exits } from '../../base/exit-codes.ts'

/** What a service was installed with. It stands in its unit, where upgrade and uninstall find it. */
export interface Installed {
  unit: string
  /** Where the program lies: below a prefix, where it is replaced by switching a link, or where it was built. */
  program: { kind: 'prefix'; folder: string } | { kind: 'in-place'; folder: string }
  node: string
  data: string
  device: string
  /** The flags of the daemon; no secret is among them. */
  flags: readonly string[]
  env: Readonly<Record<string, string>>
  user: string | null
}

export const unitFileOf = (unit: string): string => `/etc/systemd/system/${unit}.service`

/** The folder that holds `bin/skein`: of a prefix a link to the release in use. */
export const programFolderOf = ({ program }: Pick<Installed, 'program'>): string =>
  program.kind === 'prefix' ? `${program.folder}/current` : program.folder

/** The text of the unit. */
export const unitText = (installed: Installed): string => {
  const { node, data, device, flags, env, user } = installed
  const start = [node, `${programFolderOf(installed)}/bin/skein`, 'device', ...flags].map(asWord).join(' ')
  return `# Made by "skein device install", and anew by "skein device upgrade". What you want otherwise: systemctl edit ${installed.unit}
[Unit]
Description=Skein device ${device.replaceAll('%', '%%')}
Documentation=man:systemd.service(5)
# The network is not waited for: with none the device runs what it has. It stops before the network does, so its last reports go out.
After=network.target
RequiresMountsFor=${isPlain(data) ? data : quoted(data)}
# A device has to come back for ever.
StartLimitIntervalSec=0

[Service]
Type=notify
# A child, systemd-notify(1), speaks for the daemon. As root it does so in the daemon's name; other users may not, so any process of
# the unit is heard then.
NotifyAccess=${user === null ? 'main' : 'all'}
ExecStart=${start}
# systemctl reload: the daemon leaves what it runs alone, and exits with ${exits.replaceMe}; the next one takes over.
ExecReload=/bin/sh -c 'kill -HUP "$$MAINPID"'
Restart=always
RestartSec=0
# ${exits.endedOnRequest}: "skein local shutdown" has ended it for good.
RestartPreventExitStatus=${exits.endedOnRequest}
SuccessExitStatus=${exits.replaceMe} ${exits.endedOnRequest}
# Replaced or killed it is back at once. One that fails waits, with a wrong configuration (78) longer: it would keep a core busy.
ExecStopPost=/bin/sh -c 'case "$$EXIT_STATUS" in 0|${exits.replaceMe}|${exits.endedOnRequest}|KILL|TERM|INT|HUP|"") ;; 78) exec sleep 10 ;; *) exec sleep 1 ;; esac'
TimeoutStartSec=5min
# The daemon asks for more while programs have their grace.
TimeoutStopSec=90s
# Pinged from the event loop, three times in this.
WatchdogSec=60s
# Programs outlive a daemon that died or is replaced; that systemd finds them in the unit's cgroup and says so is no fault. Asked to
# stop, the daemon ends them itself.
KillMode=process
# Cgroups for the limits of programs. Into a cgroup that has handed controllers down no new daemon could be put: from systemd 254 on
# it has one of its own.
Delegate=yes
DelegateSubgroup=daemon
# One program that takes too much memory is not the end of the others.
OOMPolicy=continue
TasksMax=infinity
LimitNOFILE=524288
${user === null ? '' : `User=${user}\n`}${Object.entries(env)
  .map(([name, value]) => `Environment=${asAssignment(name, value)}\n`)
  .join('')}
# Whatever confines the daemon confines the programs as well, which may be meant to look after the machine. So here is only what
# takes nothing from them: no dumps with tokens in them (they may raise that), no keyring of others.
LimitCORE=0:infinity
KeyringMode=private
# Not set, and why. NoNewPrivileges (sudo, other users), ProtectSystem, ProtectHome, PrivateTmp, ReadWritePaths (programs write where
# they like; mounts of theirs would not be seen outside), ProtectControlGroups (limits), ProtectKernelTunables (pins and lights below
# /sys), ProtectKernelModules, ProtectKernelLogs, ProtectClock, ProtectHostname (upkeep), PrivateDevices, DevicePolicy (cameras, buses),
# RestrictNamespaces (sandboxes), RestrictRealtime (audio, control), RestrictSUIDSGID (package tools), MemoryDenyWriteExecute (Node,
# Java), RestrictAddressFamilies, SystemCallArchitectures (32 bit programs), LockPersonality and SystemCallFilter (debuggers; older
# kernels run whatever has a filter slower), UMask and OOMScoreAdjust (both would be inherited by programs).
# A device whose programs need less is best installed with --user, or gets what it can bear by "systemctl edit".

[Install]
WantedBy=multi-user.target

[X-Skein]
Installed=${JSON.stringify(installed)}
`
}

/** What a unit says that it was installed with; undefined if it is none of ours. */
export const installedIn = (text: string): Installed | undefined => {
  const line = /^Installed=(.*)$/m.exec(text.slice(Math.max(text.indexOf('\n[X-Skein]\n'), 0)))?.[1]
  if (line === undefined) return undefined
  try {
    return JSON.parse(line) as Installed // written by unitText()
  } catch {
    return undefined // somebody has edited it: not ours any more
  }
}

/** A word of a command line, as systemd reads it: without its specifiers and variables. */
export const asWord = (word: string): string => (isPlain(word) ? word : quoted(word.replaceAll('$', '$$$$')))

const isPlain = (word: string): boolean => /^[A-Za-z0-9_/.,:=@+-]+$/.test(word)

const asAssignment = (name: string, value: string): string => quoted(`${name}=${value}`)

const quoted = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('\n', '\\n')}"`
