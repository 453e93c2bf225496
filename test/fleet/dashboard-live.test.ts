import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FleetRow, Overview } from '../../schemas/dashboard.ts'
import type { LogRecord } from '../../schemas/log.ts'
import { type Looking, lookAt, type SignedIn, signIn } from '../harness/dashboard-client.ts'
import { eventually } from '../harness/eventually.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'
import { writeDevices } from '../harness/many-devices.ts'

const manyDevices = 4000

const linesOf = (records: readonly LogRecord[]): string[] =>
  records.flatMap(([, , stream, text]) => (stream === 'o' && typeof text === 'string' ? [text] : []))
const counted = (to: number): string[] => Array.from({ length: to }, (_, i) => `line ${i + 1}`)
const counting = (to: number, pause: string): string[] => [
  'sh',
  '-c',
  `i=0; while [ $i -lt ${to} ]; do i=$((i+1)); echo line $i; ${pause}; done`,
]

const rowsOf = (looking: Looking, id: number): Map<string, FleetRow> => {
  const rows = new Map<string, FleetRow>()
  for (const one of looking.messages) {
    if (!('id' in one) || one.id !== id || (one.kind !== 'show' && one.kind !== 'change')) continue
    if (one.kind === 'show') rows.clear()
    for (const row of (one.data as { rows?: FleetRow[] }).rows ?? []) rows.set(row.device, row) // as the contract has it
  }
  return rows
}

const runOf = (fleet: Installation, id: string): Promise<string> =>
  eventually('a run', async () => (await fleet.task(id)).runs.at(-1)?.run_id)

for (const apart of [false, true]) {
  describe(`the picture, ${apart ? 'with parts of their own' : 'in the hub'}`, () => {
    let fleet: Installation
    let who: SignedIn
    beforeAll(async () => {
      fleet = await startInstallation({ apart, devices: 2 })
      who = await signIn(fleet.endpoints.http, fleet.token)
    })
    afterAll(() => fleet?.close())

    test('devices, tasks and what needs attention, as they are and as they become', async () => {
      const looking = await lookAt(
        who,
        { view: 'overview' },
        { view: 'fleet' },
        { view: 'tasks' },
        { view: 'device', device: 'local-1' },
      )
      await eventually('both devices', () => (looking.now(1) as Overview | undefined)?.devices.online === 2)
      await eventually('figures of both', () => [...rowsOf(looking, 2).values()].filter(({ disk }) => disk !== null).length === 2)
      const id = await fleet.submit({ payload: { command: ['sh', '-c', 'exit 3'] }, target: { device: 'local-2' } })
      await fleet.ended(id)
      await eventually('the task among the recent', () => {
        const [first] = (looking.now(1) as Overview).recent
        return first?.task_id === id && first.state === 'failed' && first.exit_code === 3 && first.what === "sh -c 'exit 3'"
      })
      await eventually('its end, to those who look at tasks', () =>
        looking.messages.some(
          (one) => one.kind === 'change' && one.id === 3 && JSON.stringify(one.data).includes('"state":"failed"'),
        ),
      )
      await eventually('the failure in the counts', () => {
        const { tasks, throughput } = looking.now(1) as Overview
        return tasks['failed'] === 1 && throughput.failed.reduce((sum, one) => sum + one, 0) === 1
      })
      expect((await fleet.api('POST', '/devices/local-1/drain')).status).toBe(200)
      await fleet.api('POST', '/devices/local-1/labels', { set: { site: 'berlin' } })
      await eventually('the drain', () => looking.now(4).row.drained && looking.now(4).row.labels.site === 'berlin')
      expect((looking.now(1) as Overview).devices.drained).toBe(1)
      looking.send({ kind: 'match', id: 9, selector: 'site=berlin' })
      expect((await looking.next('matches')).devices).toEqual([rowsOf(looking, 2).get('local-1')?.n])
      looking.send({ kind: 'match', id: 9, selector: 'site in (' })
      expect((await looking.next('wrong')).error).toMatchObject({ code: 'invalid', details: [{ field: 'selector' }] })
      await fleet.api('POST', '/devices/local-1/undrain')
      looking.close()
    })

    test('a log from its beginning, live, to its end; and from where one was', async () => {
      const id = await fleet.submit({ payload: { command: counting(60, 'sleep 0.02') } })
      const run = await runOf(fleet, id)
      const looking = await lookAt(who, { view: 'log', task_id: id, run, after: 0 })
      await eventually('the whole log', () => looking.isComplete(1), 30_000)
      expect(linesOf(looking.records(1))).toEqual(counted(60))
      looking.look(2, { view: 'log', task_id: id, run, after: 40 })
      await eventually('its rest', () => looking.isComplete(2))
      expect(linesOf(looking.records(2))).toEqual(counted(60).slice(40))
      looking.look(3, { view: 'log', task_id: 'none', run: 'none', after: 0 })
      expect((await looking.next('wrong')).error.code).toBe('not_found')
      const file = await who.ask('GET', `/dashboard/tasks/${id}/log?run=${run}`)
      expect(file.headers.get('content-disposition')).toBe(`attachment; filename="${run}.log"`)
      expect(await file.text()).toBe(
        counted(60)
          .map((line) => `${line}\n`)
          .join(''),
      )
      looking.close()
    })

    test('parts that die while one looks: the page is told, the session holds, and all is right again', async () => {
      const id = await fleet.submit({ payload: { command: counting(200, 'sleep 0.03') } })
      const run = await runOf(fleet, id)
      const seen: LogRecord[] = []
      let next = 0
      const parts = apart ? (['controller', 'broker', 'dashboard'] as const) : (['hub'] as const)
      let looking = await lookAt(who, { view: 'overview' }, { view: 'log', task_id: id, run, after: 0 })
      for (const part of parts) {
        await eventually(`lines before ${part} is killed`, () => looking.records(2).length > 5)
        expect(fleet.kill(part as never)).toBeGreaterThan(0)
        if (part === 'controller' || part === 'broker') {
          const what = part === 'broker' ? 'broker' : 'controller'
          await eventually(`the word that the ${what} is away`, () =>
            looking.messages.some((one) => one.kind === 'bar' && !one.bar[what]),
          )
          await eventually('the word that all is well', () => {
            const bar = looking.messages.findLast((one) => one.kind === 'bar')
            return bar?.kind === 'bar' && bar.bar.broker && bar.bar.controller && bar.bar.online === 2
          })
          continue
        }
        await eventually('the end of the websocket', () => looking.closed() !== undefined)
        seen.push(...looking.records(2))
        next = seen.at(-1)?.[0] ?? 0
        looking = await eventually('a new websocket with the old session', () =>
          lookAt(who, { view: 'overview' }, { view: 'log', task_id: id, run, after: next }).catch(() => undefined),
        )
      }
      await eventually('the rest of the log', () => looking.isComplete(2), 40_000)
      seen.push(...looking.records(2))
      expect(linesOf(seen)).toEqual(counted(200))
      await eventually('the task among the recent', () => {
        const found = (looking.now(1) as Overview).recent.find(({ task_id }) => task_id === id)
        return found?.state === 'succeeded'
      })
      looking.close()
    })
  })
}

describe('two dashboards', () => {
  let fleet: Installation
  beforeAll(async () => {
    fleet = await startInstallation({ apart: true })
  })
  afterAll(() => fleet?.close())

  test('show the same, and what is done at one is seen at the other; neither misses the other', async () => {
    const { body } = await fleet.api('POST', '/tokens', { name: 'second-dashboard', role: 'viewer' })
    const first = await signIn(fleet.endpoints.http, fleet.token)
    const second = await signIn(await fleet.startDashboard(body.token), fleet.token)
    expect([first.status, second.status]).toEqual([201, 201])
    // Each has sessions of its own.
    expect((await fetch(`${second.http}/dashboard/session`, { headers: { cookie: first.cookie } })).status).toBe(401)
    const views = [{ view: 'fleet' }, { view: 'overview' }] as const
    const [one, other] = [await lookAt(first, ...views), await lookAt(second, ...views)]
    const run = async (who: SignedIn): Promise<string> => {
      const answer = await who.ask('POST', '/api/v1/tasks', { body: { payload: { command: 'true' } } })
      expect(answer.status).toBe(201)
      return ((await answer.json()) as { task_id: string }).task_id
    }
    const recent = (looking: Looking) => (looking.now(2) as Overview).recent.map(({ task_id, state }) => `${task_id} ${state}`)
    const ids = [await run(first), await run(second)]
    for (const looking of [one, other])
      await eventually('both tasks at both', () => ids.every((id) => recent(looking).includes(`${id} succeeded`)))
    const shownOf = (looking: Looking) =>
      [...rowsOf(looking, 1).values()].map(({ device, state, version }) => [device, state, version])
    expect(shownOf(one)).toHaveLength(1)
    expect(shownOf(other)).toEqual(shownOf(one))
    expect(fleet.kill('dashboard')).toBeGreaterThan(0)
    await eventually('the end of the first', () => one.closed() !== undefined)
    const third = await run(second)
    await eventually('a task at the one that is left', () => recent(other).includes(`${third} succeeded`))
    expect(other.closed()).toBeUndefined()
    other.close()
  })
})

describe('a browser that does not read', () => {
  let fleet: Installation
  beforeAll(async () => {
    fleet = await startInstallation({ prepare: (data) => writeDevices(data, manyDevices, Date.now()) })
  })
  afterAll(() => fleet?.close())

  test('takes no memory for what it does not take in, and gets all of it later', async () => {
    const who = await signIn(fleet.endpoints.http, fleet.token)
    const lines = 300_000
    const id = await fleet.submit({ payload: { command: ['sh', '-c', `seq -f 'line %.0f' 1 ${lines}`] } })
    const run = await runOf(fleet, id)
    const looking = await lookAt(who, { view: 'log', task_id: id, run, after: 0 })
    looking.socket.pause()
    await fleet.ended(id)
    const other = await lookAt(who, { view: 'log', task_id: id, run, after: 0 })
    await eventually('the whole log for another one', () => other.isComplete(1), 30_000)
    const hub = await eventually('the memory of the hub', async () => {
      const text = await (
        await fetch(`${fleet.endpoints.http}/metrics`, { headers: { authorization: `Bearer ${fleet.token}` } })
      ).text()
      return Number(/^process_resident_memory_bytes\{?[^ ]* ([0-9.e+]+)$/m.exec(text)?.[1])
    })
    expect(hub).toBeLessThan(400 * 1024 * 1024)
    expect(linesOf(other.records(1))).toHaveLength(lines)
    looking.socket.resume()
    await eventually('the whole log for the slow one', () => looking.isComplete(1), 30_000)
    expect(linesOf(looking.records(1))).toEqual(counted(lines))
    looking.close()
    other.close()
  })

  test('is shown all of it anew when it has caught up, as it is then: what it missed is kept nowhere', async () => {
    const who = await signIn(fleet.endpoints.http, fleet.token)
    const looking = await lookAt(who, { view: 'fleet' })
    const isIn = (label: string) => () =>
      [...rowsOf(looking, 1).values()].find(({ device }) => device === 'local')?.labels['at'] === label
    const move = (label: string) => fleet.api('POST', '/devices/local/labels', { set: { at: label } })
    await move('home')
    await eventually('its label', isIn('home'))
    looking.socket.pause()
    const before = looking.messages.length
    const asked = 200
    for (let i = 0; i < asked; i++) looking.look(1, { view: 'fleet' })
    // Another one is shown what comes after these: the server has dealt with them.
    await eventually('the server is through with it', async () => {
      const other = await lookAt(who, { view: 'fleet' })
      await other.next('show')
      other.close()
      return true
    })
    await move('away')
    looking.socket.resume()
    await eventually('the label that it has now', isIn('away'))
    const shown = looking.messages.slice(before).filter(({ kind }) => kind === 'show').length
    expect(shown).toBeLessThan(asked / 2)
    expect(rowsOf(looking, 1).size).toBe(manyDevices + 1)
    looking.close()
  })

  test('what it says must make sense: anything else is answered, and harms nobody', async () => {
    const who = await signIn(fleet.endpoints.http, fleet.token)
    const looking = await lookAt(who, { view: 'overview' })
    await looking.next('show')
    for (const message of [
      '{',
      '[]',
      '{"kind":"look"}',
      { kind: 'look', id: -1, at: { view: 'overview' } },
      { kind: 'look', id: 1, at: { view: 'x' } },
    ])
      looking.send(message)
    await eventually('five answers', () => looking.messages.filter(({ kind }) => kind === 'wrong').length === 5)
    for (let id = 10; id < 60; id++) looking.look(id, { view: 'task', task_id: `t${id}` })
    await eventually('a limit', () => looking.messages.some((one) => one.kind === 'wrong' && one.error.code === 'too_many'))
    looking.send('x'.repeat(20_000))
    await eventually('its end', () => looking.closed() === 1009)
    expect((await who.ask('GET', '/dashboard/session')).status).toBe(200)
  })
})
