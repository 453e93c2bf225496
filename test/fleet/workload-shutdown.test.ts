import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { type LoneDevice, linesOf, startLoneDevice } from '../harness/lone-device.ts'

let device: LoneDevice
beforeEach(async () => {
  device = await startLoneDevice()
})
afterEach(async () => {
  await device.close()
})

const witness = (): string[] => linesOf(join(device.root, 'witness'))

/** Says when it begins and, when it is asked to end, that it was asked and, after a while, that it ends. */
const lastWords = (seconds: number): string[] => {
  const say = (word: string): string => `echo "$SKEIN_WORKLOAD ${word}" >>"$0"`
  const asked = `${say('asked')}; sleep ${seconds}; ${say('ends')}; exit 0`
  return ['sh', '-c', `trap '${asked}' TERM; ${say('begins')}; while :; do sleep 0.05; done`, join(device.root, 'witness')]
}

describe('SIGTERM to the daemon', () => {
  test('ends all within their grace, those first that others do not need', async () => {
    const needing = (name: string, seconds: number, ...needs: string[]) => ({
      ...{ name, command: lastWords(seconds), stop_grace_seconds: 5 },
      depends_on: needs.map((need) => ({ name: need, condition: 'started' })),
    })
    device.write([
      needing('db', 0.1),
      needing('cache', 0.1),
      needing('api', 0.3, 'db', 'cache'),
      needing('worker', 0.1, 'db'),
      needing('web', 0.5, 'api'),
      // Longer than it is given.
      { ...needing('slow', 60, 'web'), stop_grace_seconds: 1 },
      { name: 'hourly', type: 'script', run_mode: 'schedule', schedule: '* * * * * *', command: ['sh', '-c', 'exec sleep 1000'] },
    ])
    await device.apply()
    await eventually('all have begun', () => witness().filter((line) => line.endsWith('begins')).length === 6)
    await device.when('it has fired', 'hourly', ({ state }) => state === 'running')
    expect(await device.end()).toBe(0)
    expect(device.processes()).toEqual([])
    expect(device.runFolders()).toEqual([])

    const lines = witness()
    const at = (line: string): number => lines.indexOf(line)
    expect(at('slow ends')).toBe(-1)
    expect(at('web asked')).toBeGreaterThan(at('slow asked'))
    for (const [first, then] of [
      ['web', 'api'],
      ['api', 'db'],
      ['api', 'cache'],
      ['worker', 'db'],
    ]) {
      expect(at(`${first} ends`), `${first} has ended: ${lines}`).toBeGreaterThan(-1)
      expect(at(`${then} asked`), `${first} before ${then}: ${lines}`).toBeGreaterThan(at(`${first} ends`))
    }
    await device.start()
    await eventually('all begin again', () => witness().filter((line) => line.endsWith('begins')).length === 12)
    expect((await device.get('slow')).runs.map(({ state, reason }) => [state, reason]).at(-1)).toEqual([
      'stopped',
      'device_shutdown',
    ])
  })
})

describe('a second SIGTERM', () => {
  test('waits for no grace, and leaves nothing either', async () => {
    const deaf = `trap 'echo "$SKEIN_WORKLOAD asked" >>"$0"' TERM; echo begins >>"$0"; while :; do sleep 0.05; done`
    const named = (name: string, ...needs: string[]) => ({
      ...{ name, stop_grace_seconds: 1000, command: ['sh', '-c', deaf, join(device.root, 'witness')] },
      depends_on: needs.map((need) => ({ name: need, condition: 'started' })),
    })
    device.write([named('first'), named('second', 'first')])
    await device.apply()
    await eventually('both have begun', () => witness().length === 2)
    const endSoon = async (times: number): Promise<void> => {
      const ended = device.end()
      await eventually('it is asked to end', () => witness().filter((line) => line === 'second asked').length === times)
      process.kill(device.pid(), 'SIGTERM')
      expect(await ended).toBe(0)
      expect(device.processes()).toEqual([])
      expect(device.runFolders()).toEqual([])
    }
    await endSoon(1)
    await device.start()
    await eventually('they begin again', () => witness().filter((line) => line === 'begins').length === 4)
    await endSoon(2)
  })
})

describe('stop', () => {
  test('of a service whose child has forked twice into a session of its own leaves nothing', async () => {
    const stray = `setsid sh -c 'sh -c "echo stray >>\\"$0\\"; exec sleep 1000" "$0" &' "$0"; exec sleep 1000`
    device.write([{ name: 'parent', command: ['sh', '-c', stray, join(device.root, 'witness')] }])
    await device.apply()
    await eventually('the stray is there', () => witness().includes('stray'))
    expect(await device.ask('stop', { workload: 'parent' })).toMatchObject({ state: 'stopped', pid: null })
    await eventually(
      'nothing is left',
      () => device.processes().length === 0 || Promise.reject(new Error(JSON.stringify(device.processes()))),
      5000,
    )
    expect(device.runFolders()).toEqual([])
  })

  test('of a service with a zombie and a child that has stopped itself ends all of them; a start by hand begins anew', async () => {
    const odd = 'sleep 0.01 & sh -c "kill -STOP \\$\\$; echo woken >>$0" & echo there >>"$0"; exec sleep 1000'
    device.write([{ name: 'parent', command: ['sh', '-c', odd, join(device.root, 'witness')] }])
    await device.apply()
    const stateOf = (pid: number): string => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.[0] ?? ''
    const childrenOf = (pid: number): number[] =>
      readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number)
    const { pid } = await device.when('it runs', 'parent', (one) => one.state === 'running')
    await eventually('one child is a zombie, one stopped', () => {
      const states = childrenOf(pid ?? 0)
        .map(stateOf)
        .sort()
      return states.join('') === 'TZ' || Promise.reject(new Error(states.join('')))
    })
    expect(await device.get('parent'), 'which is its own matter').toMatchObject({ state: 'running', run_count: 1 })
    expect(await device.ask('stop', { workload: 'parent' })).toMatchObject({ state: 'stopped', pid: null })
    await eventually('nothing is left', () => device.processes().length === 0)
    expect(device.runFolders()).toEqual([])
    await device.ask('start', { workload: 'parent' })
    await eventually('it begins again', () => witness().filter((line) => line === 'there').length === 2)
  })

  test('of a service that has stopped itself does not wait for its grace', async () => {
    const asleep = 'trap "echo asked >>$0; exit 0" TERM; echo there >>"$0"; kill -STOP $$; while :; do sleep 0.05; done'
    device.write([{ name: 'asleep', stop_grace_seconds: 1000, command: ['sh', '-c', asleep, join(device.root, 'witness')] }])
    await device.apply()
    await eventually('it sleeps', () => witness().includes('there'))
    expect(await device.ask('stop', { workload: 'asleep' })).toMatchObject({ state: 'stopped', pid: null })
    expect(witness()).toEqual(['there', 'asked'])
  })

  test('of a service that has closed its output works, and until then it goes on', async () => {
    const mute = 'exec >&- 2>&-; while :; do echo beat >>"$0"; sleep 0.05; done'
    device.write([{ name: 'mute', command: ['sh', '-c', mute, join(device.root, 'witness')] }])
    await device.apply()
    await eventually('it beats', () => witness().length > 20)
    expect(await device.get('mute')).toMatchObject({ state: 'running', run_count: 1 })
    await device.kill9()
    await device.start()
    const beats = witness().length
    await eventually('it goes on', () => witness().length > beats + 10)
    expect(await device.get('mute')).toMatchObject({ state: 'running', run_count: 1 })
    expect(await device.ask('stop', { workload: 'mute' })).toMatchObject({ state: 'stopped', pid: null })
    expect(device.processes()).toEqual([])
  })
})
