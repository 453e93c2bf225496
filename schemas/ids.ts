import { z } from 'zod'

/** The form of every id: 1 to 63 of a-z, 0-9 and -, not starting with -. It is also a legal topic level on every broker. */
export const idPattern = /^[a-z0-9][a-z0-9-]{0,62}$/

const id = (what: string) => z.string().regex(idPattern, `${what} is 1 to 63 of a-z, 0-9 and -, and does not start with -`)

export const FleetName = id('a fleet name')
export const DeviceName = id('a device name')
export const TaskId = id('a task id')
export const RunId = id('a run id')
/** A token's subject: who asks. It is a topic level, so the broker's permissions prove the sender. */
export const Subject = id('a subject')

/** The id of what an agent asks for: the end of that of its run, and a number. It becomes a part of paths. */
export const ApprovalId = z.string().regex(/^[a-z0-9-]{1,63}$/, 'an approval id is 1 to 63 of a-z, 0-9 and -')

/** The id of a task's n-th run. */
export const runIdOf = (taskId: string, attempt: number): string => `${taskId}-${attempt}`

/** The task and the number in the id of a run; nothing if no task can have such a run. */
export const readRunId = (run: string): { task: string; attempt: number } | undefined => {
  const [, task, number] = /^(.+)-([1-9]\d{0,8})$/.exec(run) ?? []
  return task === undefined ? undefined : { task, attempt: Number(number) }
}

/** An instant on the wire: ISO 8601, UTC, milliseconds. */
export const Instant = z.iso.datetime()
/** Clocks of devices may say anything: what no calendar has is the nearest that one has. */
export const instant = (ms: number): string => new Date(Math.max(first, Math.min(last, ms))).toISOString()
const first = Date.UTC(1970, 0)
const last = Date.UTC(9999, 11, 31, 23, 59, 59, 999)
