import { exitCodes, unanswered } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { runsTable } from './local-show.ts'
import type { RunFlags } from './run.ts'
import { askFor, askPages, taken, withClient } from './with-client.ts'
import { answerSecondsOf, deviceOf, type OfDevice, onlyDevice, patient } from './workload-device.ts'
import { reloadLines, workloadDetails, workloadLine, workloadsTable } from './workload-show.ts'

/** `workload list`: as the devices have reported them. */
export const listWorkloads = (
  io: Io,
  flags: GlobalFlags & { limit?: number },
  filters: Readonly<Record<string, string>>,
): Promise<number> =>
  withClient(io, flags, async (client) => {
    const workloads = await askPages(
      flags.limit ?? 1000,
      (limit, cursor) => askFor(client, 'workload.list', { ...filters, limit, ...(cursor ? { cursor } : {}) }),
      (page) => page.workloads,
    )
    if (flags.json) printJson(io, workloads)
    else io.out(workloadsTable(workloads, io, io.clock.now()))
    return exitCodes.done
  })

/** `workload status`: each of those named. */
export const showWorkloads = (io: Io, flags: OfDevice, names: readonly string[]): Promise<number> =>
  withClient(io, flags, async (client) => {
    const shown = []
    for (const workload of names)
      shown.push(await askFor(client, 'workload.get', { device: await deviceOf(client, flags, workload), workload }))
    if (flags.json) printJson(io, shown.length === 1 ? shown[0] : shown)
    else io.out(shown.map((one) => workloadDetails(one, io.clock.now())).join('\n'))
    return exitCodes.done
  })

/** `workload start | stop | restart`: each of those named, one after the other; the first that is refused ends it. */
export const changeWorkloads = (
  io: Io,
  flags: OfDevice,
  what: 'start' | 'stop' | 'restart',
  names: readonly string[],
): Promise<number> =>
  withClient(io, patient(flags), async (client) => {
    const changed = []
    for (const workload of names) {
      const device = await deviceOf(client, flags, workload)
      const input = { device, workload, ...asked(io, flags) }
      const reply = await client.ask(`workload.${what}`, input).catch(unanswered(`whether "${workload}" did it is not known`))
      const one = taken(reply)
      changed.push(one)
      if (!flags.json) io.out(workloadLine(device, one))
    }
    if (flags.json) printJson(io, changed.length === 1 ? changed[0] : changed)
    return exitCodes.done
  })

/** `workload reload`: the device reads its files again. */
export const reloadWorkloads = (io: Io, flags: OfDevice): Promise<number> =>
  withClient(io, patient(flags), async (client) => {
    const device = await onlyDevice(client, flags)
    const diff = taken(
      await client
        .ask('workload.reload', { device, ...asked(io, flags) })
        .catch(unanswered(`whether "${device}" did it is not known`)),
    )
    if (flags.json) printJson(io, diff)
    else io.out(reloadLines(diff))
    return exitCodes.done
  })

/** `workload history`: the last runs of a workload, as its device has them. */
export const showHistory = (io: Io, flags: OfDevice & { limit?: number }, workload: string): Promise<number> =>
  withClient(io, patient(flags), async (client) => {
    const device = await deviceOf(client, flags, workload)
    const input = { device, workload, limit: flags.limit ?? 20, timeout_seconds: answerSecondsOf(flags) }
    const { runs } = await askFor(client, 'workload.history', input)
    if (flags.json) printJson(io, runs)
    else io.out(runsTable(runs, io, io.clock.now()))
    return exitCodes.done
  })

/** `workload exec`: a command in the environment and the folder of a workload, as its user; ends as the command ended. */
export const execIn = (io: Io, flags: RunFlags, workload: string, words: readonly string[]): Promise<number> =>
  withClient(io, flags, async (client) => {
    const { runWith } = await import('./run.ts')
    const device = await deviceOf(client, flags, workload)
    return runWith(io, client, { ...flags, device, within: workload }, words)
  })

/** With a key the device does it once, however often the request is repeated. */
const asked = (io: Io, flags: GlobalFlags) => ({
  timeout_seconds: answerSecondsOf(flags),
  idempotency_key: `cli-${io.chance.ulid(io.clock.now())}`,
})
