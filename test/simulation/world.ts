import { chanceFrom } from '../../base/chance.ts'
import { type Db, openDatabase } from '../../base/database.ts'
import { silentLog } from '../../base/log.ts'
import { type Controller, startController } from '../../controller/controller.ts'
import { logMigrations, migrations, storeOver } from '../../controller/store/store.ts'
import { createDeviceCore, type DeviceCore } from '../../device/core.ts'
import { createJournal, journalMigrations } from '../../device/journal.ts'
import { bytesOf } from '../../schemas/log.ts'
import { topicOf } from '../../schemas/topics.ts'
import { someCommandKeys, someTokenKeys } from '../harness/keys.ts'
import { createSimBroker, type SimBus } from './sim-broker.ts'
import { clockOf, createTime, randomFrom } from './sim-clock.ts'
import { commandOf, createMachine, type Machine, outputOf, type Program } from './sim-machine.ts'
import { createSimSegments } from './sim-segments.ts'

const heartbeatMs = 30_000
const keys = someCommandKeys()
const tokenKeys = someTokenKeys()

interface Life {
  isDead: boolean
  wallOffsetMs: number
}
interface SimDevice {
  name: string
  machine: Machine
  db: Db
  spool: ReturnType<typeof createSimSegments>
  life: Life
  bus: SimBus | null
  core: DeviceCore | null
  wallOffsetMs: number
  /** How often it lost its memory: what it had not delivered is gone. */
  cards: number
}
interface Submitted {
  key: string
  program: Program
  options: Record<string, unknown>
  fanout: boolean
  taskId: string | null
  isCancelAsked: boolean
}

export interface WorldOptions {
  seed: number
  devices?: number
  tasks?: number
  /** How long faults go on, in simulated seconds. */
  troubleSeconds?: number
  /** No faults at all: then nothing may go wrong either. */
  isCalm?: boolean
}

/** A whole fleet on simulated time, with faults from a seed, and the promises of the design checked after every step. */
export const createWorld = ({
  seed,
  devices: deviceCount = 3,
  tasks: taskCount = 14,
  troubleSeconds = 900,
  isCalm = false,
}: WorldOptions) => {
  const random = randomFrom(seed)
  const chance = chanceFrom((count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256)))
  const time = createTime()
  const hostile = random() < 0.8 && !isCalm
  const broker = createSimBroker(time, random, {
    drop: hostile ? random() * 0.15 : 0,
    double: hostile ? random() * 0.2 : 0,
    delayMs: 10 + random() * 400,
    straggle: hostile ? random() * 0.05 : 0,
    replay: hostile ? random() * 0.1 : 0,
  })
  const db = openDatabase(':memory:', migrations)
  const logDb = openDatabase(':memory:', logMigrations)
  let store = storeOver(db, logDb)
  const controllerLife = { current: { isDead: true, wallOffsetMs: 0 } as Life }
  let controllerBus: SimBus | null = null
  let controller: Controller | null = null
  const history: string[] = []
  const note = (text: string): void => {
    history.push(`${(time.now() / 1000).toFixed(3)} ${text}`)
  }

  const startTheController = (): void => {
    const life: Life = { isDead: false, wallOffsetMs: controllerLife.current.wallOffsetMs }
    controllerLife.current = life
    const bus = broker.open('controller', life, () => ({
      topic: topicOf('default', 'controllerState', {}),
      payload: JSON.stringify({ state: 'offline', epoch: 0, at: new Date(0).toISOString() }),
      retain: true,
    }))
    controllerBus = bus
    // A new process has new statements; the database file is the same.
    store = storeOver(db, logDb)
    const overtaken = (epoch: number): void => fail(`the controller was overtaken by epoch ${epoch}, but there is only one`)
    startController({
      fleet: 'default',
      store,
      bus,
      clock: clockOf(time, life),
      chance,
      log: silentLog,
      heartbeatMs,
      keys,
      tokenKeys,
      overtaken,
      blobs: '/nonexistent',
      onEpoch: () => {},
    }).then((started) => {
      if (!life.isDead) controller = started
    }, fail)
  }
  const killController = (): void => {
    if (controllerLife.current.isDead) return
    note('controller killed')
    controllerLife.current.isDead = true
    controllerBus?.die()
    controller = null
    time.schedule(random() * 20_000, startTheController)
  }

  const fleet: SimDevice[] = Array.from({ length: deviceCount }, (_, i) => {
    const name = `d${i + 1}`
    return {
      name,
      machine: createMachine(time, name),
      db: journalDb(),
      spool: createSimSegments(time.now),
      life: { isDead: true, wallOffsetMs: 0 },
      bus: null,
      core: null,
      wallOffsetMs: 0,
      cards: 0,
    }
  })
  const startDevice = (device: SimDevice): void => {
    const life: Life = { isDead: false, wallOffsetMs: device.wallOffsetMs }
    device.life = life
    const journal = createJournal(device.db)
    const bus = broker.open(device.name, life, () => ({
      topic: topicOf('default', 'deviceState', { device: device.name }),
      payload: JSON.stringify({ state: 'offline', session: journal.nextSession(), at: new Date(0).toISOString() }),
      retain: true,
    }))
    device.bus = bus
    let hasFound = false
    const core = createDeviceCore({
      name: device.name,
      fleet: 'default',
      bus,
      journal,
      runner: device.machine.runnerFor(life),
      segments: device.spool.segments,
      clock: clockOf(time, life),
      chance,
      log: silentLog,
      boot: device.machine.boot(),
      pinned: () => ({ by: 'token', kids: keys.kids() }),
      version: 'sim',
      labels: () => ({ os: 'linux', name: device.name, ...(hasFound ? { found: 'yes' } : {}) }),
      capacity: 2,
      metrics: () => ({
        cpu_percent: 1,
        memory_used_mb: 1,
        memory_total_mb: 2,
        disk_used_mb: 1,
        disk_total_mb: 2,
        load: [0, 0, 0],
        temperature_celsius: null,
        uptime_seconds: 1,
      }),
      spoolBudget: () => 1e9,
    })
    device.core = core
    core.start().catch(fail)
    // Agents are found a moment after the start, maybe while the controller answers what was said without them.
    time.schedule(random() * 1500, () => {
      if (life.isDead) return
      hasFound = true
      core.link.startOver()
    })
  }
  const killDevice = (device: SimDevice, how: 'daemon' | 'reboot' | 'card'): void => {
    if (device.life.isDead) return
    note(`${device.name} killed: ${how}`)
    device.life.isDead = true
    device.core?.abandon()
    device.bus?.die()
    if (how !== 'daemon') device.machine.reboot()
    if (how === 'card') {
      device.db = journalDb()
      device.spool.clear()
      device.cards++
    }
    time.schedule(random() * 15_000, () => startDevice(device))
  }

  // A client that sends every task until it is acknowledged, and cancels some.
  const clientLife: Life = { isDead: false, wallOffsetMs: 0 }
  const client = broker.open('client', clientLife, null)
  const submitted: Submitted[] = []
  const request = (operation: string, id: string, input: unknown): void => {
    const topic = topicOf('default', 'request', { client: 'admin', operation: operation.replaceAll('.', '/') })
    client.publish(topic, JSON.stringify({ id, input }))
  }
  const submit = (one: Submitted): void => {
    if (one.taskId !== null) return
    request('task.submit', one.key, {
      idempotency_key: one.key,
      payload: { command: commandOf(one.program) },
      target: one.fanout ? { selector: 'os=linux', fanout: 'all' } : {},
      options: one.options,
    })
    time.schedule(4000, () => submit(one))
  }
  const cancel = (one: Submitted): void => {
    one.isCancelAsked = true
    if (one.taskId === null) return void time.schedule(1000, () => cancel(one))
    note(`cancel ${one.taskId}`)
    let tries = 0
    const ask = (): void => {
      const row = one.taskId === null ? undefined : store.tasks.get(one.taskId)
      if (!row || row.ended_at !== null || row.cancel_requested_at !== null || tries++ > 50) return
      request('task.cancel', `c-${one.key}`, { task_id: one.taskId })
      time.schedule(4000, ask)
    }
    ask()
  }
  void client.subscribe('skein/v1/default/reply/admin/#', (message) => {
    const reply = JSON.parse(Buffer.from(message.payload).toString()) as {
      id: string
      ok: boolean
      output?: { task_id: string }
      error?: { code: string }
    } // our own reply
    const one = submitted.find((other) => other.key === reply.id)
    if (!one || !reply.ok || !reply.output) return
    if (one.taskId !== null && one.taskId !== reply.output.task_id) fail(`key ${one.key} gave two tasks`)
    one.taskId = reply.output.task_id
  })

  let failure: Error | null = null
  function fail(reason: unknown): void {
    failure ??= reason instanceof Error ? reason : new Error(String(reason))
  }

  /** How many tasks ended in which state. */
  const states: Record<string, number> = {}

  // What must hold after every step.
  const ends = new Map<string, string>()
  const checkAlways = (): void => {
    for (const row of db.prepare('select task_id as id, state, ended_at from task where ended_at is not null').all() as {
      id: string
      state: string
    }[])
      holdEnd(row)
    for (const row of db.prepare('select run_id as id, state from run where ended_at is not null').all() as {
      id: string
      state: string
    }[])
      holdEnd(row)
    for (const device of fleet) {
      for (const [run, count] of device.machine.starts)
        if (count > 1) fail(`run ${run} was started ${count} times on ${device.name}`)
    }
    for (const one of submitted)
      if (one.taskId !== null && !store.tasks.get(one.taskId)) fail(`task ${one.taskId} was acknowledged and is gone`)
    checkOverlap()
  }
  const holdEnd = ({ id, state }: { id: string; state: string }): void => {
    const known = ends.get(id)
    if (known === undefined) ends.set(id, state)
    else if (known !== state) fail(`${id} ended ${known} and then became ${state}`)
  }
  /** With `on_lost: stop` no two runs of a task are ever alive at once. */
  const checkOverlap = (): void => {
    const careful = new Set(submitted.filter((one) => one.options['on_lost'] === 'stop' && !one.fanout).map((one) => one.taskId))
    const alive = new Map<string, string>()
    for (const device of fleet) {
      for (const run of device.machine.alive()) {
        const task = run.replace(/-\d+$/, '')
        if (!careful.has(task)) continue
        const other = alive.get(task)
        if (other !== undefined && other !== run) fail(`${other} and ${run} of one task are alive at once`)
        alive.set(task, run)
      }
    }
  }

  const trouble = (): void => {
    if (time.now() > troubleSeconds * 1000) return
    const device = fleet[Math.floor(random() * fleet.length)]
    const what = random()
    if (what < 0.2) killController()
    else if (what < 0.5 && device) killDevice(device, 'daemon')
    else if (what < 0.58 && device) killDevice(device, 'reboot')
    else if (what < 0.61 && device) killDevice(device, 'card')
    else if (what < 0.75 && device) {
      note(`${device.name} cut`)
      device.bus?.cut(random() < 0.6)
    } else if (what < 0.82) {
      note('broker replaced')
      broker.replace()
    } else if (what < 0.9 && device) {
      device.wallOffsetMs = Math.round((random() - 0.5) * 3_600_000)
      device.life.wallOffsetMs = device.wallOffsetMs
      note(`${device.name} clock jumps to ${device.wallOffsetMs}`)
    } else {
      note('controller cut')
      controllerBus?.cut(random() < 0.6)
    }
    time.schedule(random() * 40_000, trouble)
  }

  const plan = (): void => {
    store.tokens.put({
      jti: 'a',
      subject: 'admin',
      role: 'admin',
      hash: '',
      created_at: 0,
      expires_at: Number.MAX_SAFE_INTEGER,
      revoked_at: null,
      last_used_at: null,
      key: tokenKeys.oldest().kid,
    })
    startTheController()
    for (const device of fleet) time.schedule(random() * 5000, () => startDevice(device))
    for (let i = 0; i < taskCount; i++) {
      const isLong = random() < 0.2
      const program: Program = {
        seconds: isLong ? 200 + random() * 600 : random() * 40,
        code: random() < 0.15 ? 3 : 0,
        lines: Math.floor(random() * 30),
        stubborn: random() < 0.2,
      }
      const options: Record<string, unknown> = {}
      if (random() < 0.4) options['retries'] = Math.floor(random() * 3)
      if (random() < 0.4) options['retry_backoff_seconds'] = 1 + random() * 20
      if (random() < 0.3) options['timeout_seconds'] = 1 + random() * 60
      if (random() < 0.3) options['lost_after_seconds'] = random() * 200
      if (random() < 0.4) options['on_lost'] = 'stop'
      if (random() < 0.1) options['start_within_seconds'] = 1 + random() * 30
      const one: Submitted = { key: `k${i}`, program, options, fanout: random() < 0.15, taskId: null, isCancelAsked: false }
      submitted.push(one)
      const at = 1000 + random() * troubleSeconds * 800
      time.schedule(at, () => submit(one))
      if (random() < 0.25) time.schedule(at + random() * 60_000, () => cancel(one))
    }
    if (!isCalm) time.schedule(random() * 20_000, trouble)
  }

  /** Whether the controller knows what the device has found on its machine. */
  const isFound = (device: SimDevice): boolean => store.devices.get(device.name)?.labels.includes('found') === true

  /** Whether nothing is left to happen: all has ended, and everybody knows. */
  const isSettled = (): boolean =>
    submitted.every((one) => one.taskId !== null && store.tasks.get(one.taskId)?.ended_at !== null) &&
    db.prepare('select 1 from run where ended_at is null or confirmed = 0').get() === undefined &&
    fleet.every(
      (device) =>
        !device.life.isDead &&
        isFound(device) &&
        device.machine.alive().length === 0 &&
        // Logs lie in the spool, not in the journal, and are sent again too: the last try may be a minute away.
        device.core?.unacknowledged().streams === 0,
    )

  /** What must be true when the trouble is over and everything has had its time. */
  const checkAtLast = (): void => {
    for (const one of submitted) {
      if (one.taskId === null) {
        fail(`task ${one.key} was never acknowledged`)
        continue
      }
      const task = store.tasks.get(one.taskId)
      if (!task || task.ended_at === null) {
        fail(`task ${one.taskId} (${one.key}) never ended: ${task?.state}, ${task?.reason}`)
        continue
      }
      for (const run of store.runs.ofTask(one.taskId)) checkRun(run, one)
    }
    for (const device of fleet) {
      for (const run of device.machine.alive()) fail(`run ${run} is still alive on ${device.name}`)
      const left = device.core?.unacknowledged()
      if (!isFound(device)) fail(`${device.name} has found what the controller was never told`)
      if (left?.streams !== 0) fail(`${device.name} still has what is not acknowledged: ${JSON.stringify(left)}`)
    }
  }
  const checkRun = (run: ReturnType<typeof store.runs.ofTask>[number], one: Submitted): void => {
    const device = fleet.find((other) => other.name === run.device)
    const completions = device?.machine.completions.get(run.run_id) ?? 0
    const isPlain = run.reason === null || /^(exited with|cancelled|timed out|expired)/.test(run.reason)
    if (isCalm && (!isPlain || (run.late !== null && run.state !== 'cancelled')))
      fail(`nothing went wrong, but ${run.run_id} is ${run.state}: ${run.reason}, late ${run.late}`)
    if (run.state === 'succeeded' && completions !== 1)
      fail(`run ${run.run_id} succeeded, but its program completed ${completions} times`)
    if (run.state === 'cancelled' && run.confirmed === 0) fail(`the cancel of ${run.run_id} was never confirmed`)
    if (run.state !== 'succeeded') return
    const records = store.logs.read(run.run_id, { after: 0, limit: 1_000_000, maxBytes: 1e9 }).records
    const text = Buffer.concat(records.filter((record) => record[2] === 'o').map(bytesOf))
    const whole = outputOf(run.run_id, one.program)
    const isPrefix = whole.subarray(0, text.length).equals(text)
    if (!isPrefix || (text.length < whole.length && device?.cards === 0)) {
      fail(`the log of ${run.run_id} on ${run.device} has ${text.length} of ${whole.length} bytes: ${JSON.stringify(run)}`)
    }
    const seqs = records.map((record) => record[0])
    if (seqs.some((seq, i) => seq !== i + 1)) fail(`the log of ${run.run_id} has gaps or doubles: ${seqs.join(' ')}`)
  }

  return {
    history,
    counts: broker.counts,
    states,
    /** Lives the whole life of this world; throws at the first promise that is broken. */
    run: async (): Promise<void> => {
      plan()
      let steps = 0
      const live = async (untilMs: number): Promise<void> => {
        while (time.step(untilMs)) {
          // Whatever a step has promised is carried out before the next one.
          await new Promise((resolve) => setImmediate(resolve))
          if (steps++ % 50 === 0) checkAlways()
          if (failure) throw failure
        }
      }
      await live(troubleSeconds * 1000)
      note('trouble is over')
      broker.clear()
      for (let more = 60; more <= 3000 && !isSettled(); more += 60) await live((troubleSeconds + more) * 1000)
      checkAlways()
      checkAtLast()
      Object.assign(states, store.tasks.counts())
      controllerLife.current.isDead = true
      clientLife.isDead = true
      for (const device of fleet) {
        device.life.isDead = true
        device.db.close()
      }
      store.close()
      void controller
      if (failure) throw failure
    },
  }
}

const journalDb = (): Db => openDatabase(':memory:', journalMigrations)
