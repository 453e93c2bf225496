import type { Client } from './client.ts'
import { CliFailure, exitCodes, usageFailure } from './exit.ts'
import type { GlobalFlags } from './io.ts'
import { askFor } from './with-client.ts'

export interface OfDevice extends GlobalFlags {
  device?: string
}

/** The device that is meant: the one that is named, or the only one that reports such a workload. */
export const deviceOf = async (client: Client, flags: OfDevice, workload: string): Promise<string> => {
  if (flags.device !== undefined) return flags.device
  const { workloads, cursor } = await askFor(client, 'workload.list', { name: workload, limit: 1000 })
  const [only] = workloads
  if (!only) {
    const message = `No device reports a workload "${workload}"; name the device with --device, or see "skein workload list"`
    throw new CliFailure(exitCodes.refused, 'not_found', message)
  }
  const names = workloads.map((one) => one.device)
  if (names.length === 1 && cursor === null) return only.device
  throw usageFailure(`"${workload}" is on several devices: name one with --device (${someOf(names)})`)
}

/** The device that is named, or the only one that there is. */
export const onlyDevice = async (client: Client, flags: OfDevice): Promise<string> => {
  if (flags.device !== undefined) return flags.device
  const { devices, cursor } = await askFor(client, 'device.list', { limit: 1000 })
  const [only] = devices
  if (!only) throw new CliFailure(exitCodes.refused, 'not_found', 'No device has joined yet')
  const names = devices.map((one) => one.device)
  if (names.length === 1 && cursor === null) return only.device
  throw usageFailure(`There are several devices: name one with --device (${someOf(names)})`)
}

/** How long the device may take, and how much longer than that the controller has to say so. */
const usualSeconds = 10
const mostSeconds = 60
const marginSeconds = 5

/** How long the device may take to answer, by `--timeout`. */
export const answerSecondsOf = (flags: GlobalFlags): number =>
  Math.max(1, Math.min(mostSeconds, Math.round(flags.timeout ?? usualSeconds)))

/** Flags of a connection that waits until the controller can tell that the device has not answered. */
export const patient = <F extends GlobalFlags>(flags: F): F => ({ ...flags, timeout: answerSecondsOf(flags) + marginSeconds })

const someOf = (names: readonly string[]): string => (names.length > 5 ? `${names.slice(0, 5).join(', ')}, …` : names.join(', '))
