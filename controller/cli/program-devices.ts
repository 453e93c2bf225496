import type { Command } from 'commander'
import type { Act, Verb } from './act.ts'
import { flagsOf } from './flags.ts'
import type { Io } from './io.ts'

/** What a device does by itself, with no controller to ask: `bin/skein` starts it for that. Here it is told of. */
const ownVerbs = {
  join: 'make this machine a device of a fleet, with a join token',
  install: 'have systemd run the device of this machine, from now on and after each boot',
  upgrade: "replace the program of this machine's service, and no more than that",
  uninstall: 'take the service away again',
}

/** The verbs that change devices, and the one that looks back. */
export const addDeviceVerbs = (device: Command, io: Io, act: Act, verb: Verb): void => {
  const load = () => import('./device-change.ts')
  for (const [name, about] of Object.entries(ownVerbs)) {
    device
      .command(name)
      .description(`${about} (see: skein device ${name} --help)`)
      .allowUnknownOption()
      .argument('[any...]')
      .action(() => act(load().then((one) => one.ownVerbIsElsewhere(name))))
  }
  verb(device, 'metrics', 'show how busy a device was: processor, memory, disk and temperature')
    .argument('<device>')
    .option('--since <time>', 'from then on: ISO 8601, or an age such as 6h (default 1h)')
    .option('--until <time>', 'only up to then')
    .action((name: string, _options, command: Command) =>
      act(
        import('./device-metrics.ts').then((one) =>
          one.showMetrics(io, { ...flagsOf(command), ...command.opts<{ since?: string; until?: string }>() }, name),
        ),
      ),
    )
  verb(device, 'drain', 'give devices no more work; what they run goes on')
    .argument('<device...>')
    .option('--wait', 'until nothing runs there any more')
    .action((names: string[], _options, command: Command) =>
      act(load().then((one) => one.drainDevices(io, { ...flagsOf(command), ...command.opts<{ wait?: boolean }>() }, names))),
    )
  verb(device, 'undrain', 'give drained devices work again')
    .argument('<device...>')
    .action((names: string[], _options, command: Command) =>
      act(load().then((one) => one.undrainDevices(io, flagsOf(command), names))),
    )
  verb(device, 'label', 'put labels on a device, as in site=berlin, or take them off, as in site-')
    .argument('<device>')
    .argument('<label...>')
    .action((name: string, labels: string[], _options, command: Command) =>
      act(load().then((one) => one.labelDevice(io, flagsOf(command), name, labels))),
    )
  verb(device, 'remove', 'take devices out of the fleet: their tokens are revoked, and what waits for them ends')
    .argument('<device...>')
    .option('--force', 'also if they have work, which is given up as lost')
    .option('--dry-run', 'only tell what would go')
    .action((names: string[], _options, command: Command) =>
      act(
        load().then((one) =>
          one.removeDevices(io, { ...flagsOf(command), ...command.opts<{ force?: boolean; dryRun?: boolean }>() }, names),
        ),
      ),
    )
}
