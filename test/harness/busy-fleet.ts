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

/** Makes a release of one service, by the CLI, as a user does. */
export const makeRelease = async (fleet: Installation, name: string, version: string, command: string): Promise<string> => {
  const folder = join(fleet.root, 'releases', `${name}-${version}`)
  mkdirSync(join(folder, 'workloads'), { recursive: true })
  const restart = { policy: 'always', delay_seconds: 0.1, crash_loop: { starts: 3, within_seconds: 60 } }
  const workload = { name, type: 'service', run_mode: 'forever', command: ['sh', '-c', command], restart }
  writeFileSync(join(folder, 'workloads', `${name}.yaml`), JSON.stringify(workload))
  const made = await fleet.cli(['release', 'create', folder, '--name', name, '--version', version])
  if (made.code !== 0) throw new Error(`Cannot make ${name}@${version}: ${made.stderr}`)
  return `${name}@${version}`
}

export const goesOn = 'exec sleep 1000'
export const fails = 'echo "no such config" >&2; exit 3'

/** Rolls a release out with short times; gives the id of the deployment. */
export const rollOut = async (
  fleet: Installation,
  release: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> => {
  const quick = { min_healthy_seconds: 0.3, health_timeout_seconds: 20 }
  const { status, body } = await fleet.answered('POST', '/deployments', { release, target: { selector: '' }, ...quick, ...more })
  if (status !== 201) throw new Error(`The deployment was refused: ${JSON.stringify(body)}`)
  return body.deployment_id
}

/** Waits until a deployment is in a state, and so many of its devices are healthy. */
export const deploymentIs = (fleet: Installation, id: string, state: string, healthy = 0): Promise<unknown> =>
  eventually(
    `deployment ${id} is ${state}`,
    async () => {
      const { body } = await fleet.answered('GET', `/deployments/${id}`)
      if (body.state === state && (body.counts.healthy ?? 0) >= healthy) return true
      throw new Error(`it is ${body.state}, ${JSON.stringify([body.reason, body.device_list])}`)
    },
    40_000,
  )

/** Deployments in several states, by their state. */
const rollOutAll = async (fleet: Installation): Promise<Readonly<Record<string, string>>> => {
  await makeRelease(fleet, 'app', '1.0.0', goesOn)
  await makeRelease(fleet, 'app', '1.1.0', `sleep 0; ${goesOn}`)
  await makeRelease(fleet, 'app', '2.0.0', fails)
  await makeRelease(fleet, 'pump', '1.0.0', goesOn)
  const completed = await rollOut(fleet, 'app@1.0.0', { batch: 3, canary: 1 })
  await deploymentIs(fleet, completed, 'completed')
  const rolled_back = await rollOut(fleet, 'app@2.0.0')
  await deploymentIs(fleet, rolled_back, 'rolled_back')
  const slow = { pause_seconds: 3600, canary: 1 }
  const paused = await rollOut(fleet, 'app@1.1.0', slow)
  await deploymentIs(fleet, paused, 'in_progress', 1)
  await fleet.answered('POST', `/deployments/${paused}/pause`, {})
  const in_progress = await rollOut(fleet, 'pump@1.0.0', slow)
  await deploymentIs(fleet, in_progress, 'in_progress', 1)
  return { completed, rolled_back, paused, in_progress }
}

export interface BusyFleet {
  fleet: Installation
  tasks: Readonly<Record<string, string>>
  deployments: Readonly<Record<string, string>>
}

/** Three devices, one of them drained, with workloads in several states, and tasks and deployments in every state; what is in which, by its state. */
export const startBusyFleet = async (): Promise<BusyFleet> => {
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
    return { fleet, tasks, deployments: await rollOutAll(fleet) }
  } catch (error) {
    await fleet.close().catch(() => undefined) // how it began is the news
    throw error
  }
}
