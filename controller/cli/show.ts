import { usualAgent } from '../../schemas/agent.ts'
import type { Device } from '../../schemas/device.ts'
import { instant } from '../../schemas/ids.ts'
import { bytesOf, isDrop, type LogRecord } from '../../schemas/log.ts'
import type { OutputOf } from '../../schemas/operations.ts'
import type { RunPayload } from '../../schemas/payload.ts'
import type { Task } from '../../schemas/task.ts'
import type { Io } from './io.ts'
import { ago, factsOf, plain, tableOf } from './table.ts'

/** Tasks as a table. */
export const tasksTable = (tasks: readonly Task[], io: Pick<Io, 'terminal'>, now: number): string =>
  tableOf(
    ['TASK', 'STATE', 'TYPE', 'PRIORITY', 'DEVICE', 'CREATED', 'WORK'],
    tasks.map((task) => [
      task.task_id,
      stateOf(task),
      task.type,
      task.priority,
      task.device ?? '-',
      ago(task.created_at, now),
      workOf(task.payload),
    ]),
    io.terminal,
  )

/** One task with its runs and its history. */
export const taskDetails = (task: OutputOf<'task.get'>, io: Pick<Io, 'terminal'>, now: number): string => {
  const runs = task.runs.map((run) => [
    run.run_id,
    run.state + (run.confirmed === false ? ' (not confirmed)' : ''),
    run.device,
    run.signal ?? (run.exit_code === null ? '-' : String(run.exit_code)),
    ago(run.started_at, now),
    run.reason ?? '',
  ])
  return [
    factsOf([
      ['task', task.task_id],
      ['state', stateOf(task)],
      ['work', workOf(task.payload)],
      ['type', task.type],
      ['priority', task.priority],
      ['target', task.target.device ?? task.target.selector ?? 'any device'],
      ['device', task.device],
      ['exit code', task.exit_code],
      ['tags', task.tags.join(', ')],
      ['source', `${task.source}, by ${task.requested_by}`],
      ['created', task.created_at],
      ['started', task.started_at],
      ['ended', task.ended_at],
      ['cancel asked', task.cancel_requested_at],
    ]),
    ...(runs.length > 0 ? ['\n', tableOf(['RUN', 'STATE', 'DEVICE', 'EXIT', 'STARTED', 'REASON'], runs, io.terminal)] : []),
    ...(task.history.length > 0
      ? [
          '\n',
          tableOf(
            ['AT', 'STATE', 'RUN', 'REASON'],
            task.history.map((one) => [one.at, one.state, one.run_id ?? '-', one.reason ?? '']),
            io.terminal,
          ),
        ]
      : []),
  ].join('')
}

/** Devices as a table. */
export const devicesTable = (devices: readonly Device[], io: Pick<Io, 'terminal'>, now: number): string =>
  tableOf(
    ['DEVICE', 'STATE', 'RUNNING', 'SEEN', 'VERSION', 'LABELS'],
    devices.map((device) => [
      device.device,
      device.state + (device.drained ? ', drained' : ''),
      `${device.running}/${device.capacity}`,
      ago(device.last_seen_at, now),
      device.version ?? '-',
      labelsOf(device.labels),
    ]),
    io.terminal,
  )

/** One device. */
export const deviceDetails = (device: Device, now: number): string =>
  factsOf([
    ['device', device.device],
    ['state', device.state + (device.reason ? ` (${device.reason})` : '')],
    ['drained', device.drained ? 'yes' : 'no'],
    ['running', `${device.running} of ${device.capacity}`],
    ['version', device.version],
    ['seen', ago(device.last_seen_at, now)],
    ['joined', device.joined_at],
    ['labels', labelsOf(device.labels)],
    ...Object.entries(device.metrics ?? {}).map(
      ([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const,
    ),
  ])

/** The fleet in a few lines. */
export const statusDetails = (status: OutputOf<'system.status'>): string => {
  const { sizes, loop_delay: late } = status
  return factsOf([
    ['fleet', status.fleet],
    ['version', status.version],
    ['epoch', status.epoch],
    ['up', status.uptime_seconds === undefined ? undefined : duration(status.uptime_seconds)],
    ['tasks', countsOf(status.tasks)],
    ['devices', countsOf(status.devices)],
    [
      'queue',
      status.queue.oldest_seconds === null
        ? status.queue.depth
        : `${status.queue.depth}, the oldest for ${duration(status.queue.oldest_seconds)}`,
    ],
    ...(sizes
      ? ([
          ['databases', `tasks ${megabytes(sizes.controller_bytes)}, logs ${megabytes(sizes.logs_bytes)}`],
          ['disk', `${megabytes(sizes.disk_free_bytes)} free`],
        ] as const)
      : []),
    ['loop delay', late && `p50 ${delay(late.p50_ms)}, p99 ${delay(late.p99_ms)}, most ${delay(late.max_ms)}`],
    ...(status.damage ?? []).map((one) => ['damage', one] as const),
  ])
}

/** Writes a log record the way its program wrote it; what Skein has to say goes to stderr. */
export const writeRecord = (io: Pick<Io, 'out' | 'err'>, record: LogRecord, hasTimes = false): void => {
  const [, at, stream, text] = record
  if (hasTimes) (stream === 'o' ? io.out : io.err)(`${instant(at)} `)
  if (isDrop(text)) {
    const { lines, bytes, reason } = text.dropped
    io.err(`skein: ${lines} line${lines === 1 ? '' : 's'} (${bytes} bytes) are missing here: ${plain(reason)}\n`)
  } else if (stream === 's') io.err(`skein: ${typeof text === 'string' ? plain(text) : '(not UTF-8)'}\n`)
  else if (stream === 'o') io.out(bytesOf(record))
  else io.err(bytesOf(record))
}

const stateOf = (task: Pick<Task, 'state' | 'reason' | 'cancel_requested_at' | 'ended_at'>): string =>
  task.state + (task.reason ? ` (${task.reason})` : task.cancel_requested_at && !task.ended_at ? ' (cancel asked)' : '')

/** What runs, in one line. */
const workOf = ({ command, script, workload, within, prompt, recipe, agent }: RunPayload): string => {
  if (prompt !== undefined) return `${agent ?? usualAgent}: ${prompt}`
  if (recipe !== undefined) return `${agent ?? usualAgent}: recipe ${recipe}`
  if (workload !== undefined) return `workload ${workload}`
  if (within !== undefined) return `(in ${within}) ${workOf({ command, script })}`
  if (command !== undefined) return typeof command === 'string' ? command : command.map(shellWord).join(' ')
  return (script ?? '').split('\n').slice(0, 2).join(' ')
}

const shellWord = (word: string): string => (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
const labelsOf = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
const countsOf = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ') || 'none'

const megabytes = (bytes: number): string => (bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`)
const delay = (ms: number): string => `${ms.toFixed(ms < 10 ? 1 : 0)} ms`
/** The two largest units of a length of time. */
const duration = (seconds: number): string => {
  const whole = Math.round(seconds)
  const units = [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ] as const
  const first = units.findIndex(([, size]) => whole >= size)
  if (first < 0) return '0 s'
  let rest = whole
  return units
    .slice(first, first + 2)
    .flatMap(([unit, size]) => {
      const count = Math.floor(rest / size)
      rest -= count * size
      return count > 0 ? [`${count} ${unit}`] : []
    })
    .join(' ')
}
