import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathsIn } from '../../base/paths.ts'
import { openStore } from '../../controller/store/store.ts'
import { newTask } from '../../controller/store/tasks.ts'
import { eventually } from './eventually.ts'
import { type Installation, startInstallation } from './installation.ts'

/** A task that was lost a while ago, as the controller stores it: to lose one takes minutes. */
export const lostTask = 'lost-a-while-ago'
const writeLostTask = (data: string): void => {
  const { controller, controllerDb, logDb } = pathsIn(data)
  mkdirSync(controller, { recursive: true })
  const store = openStore(controllerDb, logDb)
  const at = Date.now() - 60_000
  const body = JSON.stringify({
    ...{ type: 'command', payload: { command: ['make', 'world'] }, priority: 'medium', source: 'api' },
    ...{ target: {}, options: {}, metadata: {}, tags: [] },
  })
  const row = newTask({
    ...{ task_id: lostTask, state: 'lost', reason: 'journal_lost', type: 'command', rank: 2, source: 'api' },
    ...{ requested_by: 'admin', body, fingerprint: 'none', open: 0, device: 'local-1', attempt: 1 },
    ...{ created_at: at, started_at: at + 1000, ended_at: at + 20_000 },
  })
  store.tasks.insert(row, [])
  store.close()
}

const workloads = [
  {
    name: 'ticker',
    type: 'service',
    run_mode: 'forever',
    command: ['sh', '-c', 'i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.2; done'],
  },
  { name: 'nightly', type: 'script', run_mode: 'schedule', schedule: '0 3 * * *', command: 'echo cleaned' },
  {
    ...{ name: 'shaky', type: 'service', run_mode: 'forever', command: 'echo no >&2; exit 3' },
    restart: { policy: 'always', delay_seconds: 0.1, crash_loop: { starts: 3, within_seconds: 60 } },
  },
  { name: 'once', type: 'script', run_mode: 'n_times', max_runs: 1, command: 'exit 6' },
]

/** Three devices, one of them drained, with workloads in several states, and tasks in every state; what is in which, by its state. */
export const startBusyFleet = async (): Promise<{ fleet: Installation; tasks: Readonly<Record<string, string>> }> => {
  const fleet = await startInstallation({ devices: 3, prepare: writeLostTask })
  try {
    for (const name of ['local-1', 'local-2', 'local-3']) await fleet.online(name)
    const folder = join(fleet.root, 'workloads')
    mkdirSync(folder)
    writeFileSync(join(folder, 'all.yaml'), JSON.stringify({ workloads }))
    const applied = await fleet.cli(['local', 'apply', '--device', 'local-1', folder])
    if (applied.code !== 0) throw new Error(`The workloads were refused: ${applied.stderr}`)
    await fleet.answered('POST', '/devices/local-3/drain')
    const sh = (script: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> =>
      fleet.submit({ payload: { command: ['sh', '-c', script] }, target: { device: 'local-2' }, ...more })
    const long = 'echo begun; exec sleep 1000'
    const tasks = {
      succeeded: await sh('echo done; uname -a', { tags: ['nightly', 'eu'], metadata: { ticket: 42 } }),
      failed: await sh('echo "no such thing" >&2; exit 3'),
      timed_out: await sh(long, { options: { timeout_seconds: 0.3 } }),
      cancelled: await sh(long),
      expired: await sh('true', { target: { selector: 'role=nobody' }, options: { start_within_seconds: 0.2 } }),
      rejected: await fleet.submit({ payload: { workload: 'no-such-workload' }, target: { device: 'local-2' } }),
      queued: await sh('true', { target: { selector: 'role=builder' } }),
      fanout: await sh('echo here', { target: { selector: 'os', fanout: 'all' } }),
      active: await sh(long, { target: { device: 'local-1' } }),
      lost: lostTask,
    }
    await eventually('it runs', async () => (await fleet.task(tasks.cancelled)).state === 'active')
    await fleet.cancel(tasks.cancelled)
    for (const state of ['succeeded', 'failed', 'timed_out', 'cancelled', 'expired', 'rejected', 'active', 'queued'] as const)
      await fleet.taskWhen(`a task that is ${state}`, tasks[state], (task) => task.state === state)
    await eventually('a crash loop', async () => {
      const { body } = await fleet.answered('GET', '/devices/local-1/workloads/shaky')
      return body.state === 'crash_loop'
    })
    return { fleet, tasks }
  } catch (error) {
    await fleet.close().catch(() => undefined) // how it began is the news
    throw error
  }
}
