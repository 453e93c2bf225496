import { exitCodes } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { deviceDetails, devicesTable } from './show.ts'
import { askFor, askPages, withClient } from './with-client.ts'

/** `device list`: newest first. */
export const listDevices = (
  io: Io,
  flags: GlobalFlags & { limit?: number },
  filters: Readonly<Record<string, string>>,
): Promise<number> =>
  withClient(io, flags, async (client) => {
    const devices = await askPages(
      flags.limit ?? 50,
      (limit, cursor) => askFor(client, 'device.list', { ...filters, limit, ...(cursor ? { cursor } : {}) }),
      (page) => page.devices,
    )
    if (flags.json) printJson(io, devices)
    else io.out(devicesTable(devices, io, io.clock.now()))
    return exitCodes.done
  })

export const getDevice = (io: Io, flags: GlobalFlags, name: string): Promise<number> =>
  withClient(io, flags, async (client) => {
    const device = await askFor(client, 'device.get', { device: name })
    if (flags.json) printJson(io, device)
    else io.out(deviceDetails(device, io.clock.now()))
    return exitCodes.done
  })
