import { sleep } from '../../base/clock.ts'
import type { Device } from '../../schemas/device.ts'
import { exitCodes, usageFailure } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { devicesTable } from './show.ts'
import { askFor, withClient } from './with-client.ts'

const shown = (io: Io, flags: GlobalFlags, devices: readonly Device[]): number => {
  if (flags.json) printJson(io, devices)
  else io.out(devicesTable(devices, io, io.clock.now()))
  return exitCodes.done
}

/** What the device does by itself is not for the CLI: `bin/skein` has passed it by, because something stood in front. */
export const ownVerbIsElsewhere = (verb: string): Promise<number> =>
  Promise.reject(
    usageFailure(`"device ${verb}" comes first on the line, and its flags behind it: see skein device ${verb} --help`),
  )

/** `device drain`; with --wait until nothing runs on them. */
export const drainDevices = (io: Io, flags: GlobalFlags & { wait?: boolean }, names: readonly string[]): Promise<number> =>
  withClient(io, flags, async (client) => {
    let devices = await Promise.all(names.map((device) => askFor(client, 'device.drain', { device })))
    let told = ''
    while (flags.wait && devices.some((one) => one.running > 0)) {
      const busy = devices.filter((one) => one.running > 0).map((one) => `${one.device} (${one.running})`)
      if (!flags.json && busy.join() !== told) io.err(`waiting for ${busy.join(', ')}\n`)
      told = busy.join()
      await sleep(io.clock, 500)
      devices = await Promise.all(names.map((device) => askFor(client, 'device.get', { device })))
    }
    return shown(io, flags, devices)
  })

export const undrainDevices = (io: Io, flags: GlobalFlags, names: readonly string[]): Promise<number> =>
  withClient(io, flags, async (client) =>
    shown(io, flags, await Promise.all(names.map((device) => askFor(client, 'device.undrain', { device })))),
  )

/** `device label`: key=value puts one on, key- takes one off. */
export const labelDevice = (io: Io, flags: GlobalFlags, device: string, labels: readonly string[]): Promise<number> =>
  withClient(io, flags, async (client) => {
    const set: Record<string, string> = {}
    const remove: string[] = []
    for (const label of labels) {
      const at = label.indexOf('=')
      if (at > 0) set[label.slice(0, at)] = label.slice(at + 1)
      else if (at < 0 && label.length > 1 && label.endsWith('-')) remove.push(label.slice(0, -1))
      else throw usageFailure(`"${label}" is no label: write key=value, or key- to take one off`)
    }
    return shown(io, flags, [await askFor(client, 'device.label', { device, set, remove })])
  })

export const removeDevices = (
  io: Io,
  flags: GlobalFlags & { force?: boolean; dryRun?: boolean },
  names: readonly string[],
): Promise<number> =>
  withClient(io, flags, async (client) => {
    if (flags.dryRun) {
      const devices = await Promise.all(names.map((device) => askFor(client, 'device.get', { device })))
      if (!flags.json) io.err('these would be removed:\n')
      return shown(io, flags, devices)
    }
    const removed = []
    for (const device of names) removed.push(await askFor(client, 'device.remove', { device, force: flags.force === true }))
    if (flags.json) printJson(io, removed)
    else
      for (const { device, lost } of removed) io.out(`removed: ${device}${lost.length > 0 ? `; lost: ${lost.join(', ')}` : ''}\n`)
    return exitCodes.done
  })
