import { describe, expect, test } from 'vitest'
import type { Clock } from '../../base/clock.ts'
import { exits } from '../../base/exit-codes.ts'
import { silentLog } from '../../base/log.ts'
import { startNotify } from '../../device/service/notify.ts'
import { type Order, readOrder, type ServiceVerb } from '../../device/service/order.ts'
import { type Before, planInstall, planUninstall, planUpgrade, stepText } from '../../device/service/plan.ts'
import { readyText, type UnitState, waitUntilReady } from '../../device/service/systemd.ts'
import { asWord, type Installed, installedIn, unitText } from '../../device/service/unit.ts'

const installed: Installed = {
  unit: 'skein-device',
  program: { kind: 'prefix', folder: '/opt/skein' },
  node: '/usr/bin/node',
  data: '/var/lib/skein',
  device: 'pi',
  flags: ['--data', '/var/lib/skein', '--name', 'pi'],
  env: {},
  user: null,
}
const lineOf = (text: string, key: string): string | undefined => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1]

describe('unitText()', () => {
  test('starts the program behind the link, and knows the codes by which a daemon tells what is to follow', () => {
    const text = unitText(installed)
    expect(lineOf(text, 'ExecStart')).toBe('/usr/bin/node /opt/skein/current/bin/skein device --data /var/lib/skein --name pi')
    expect(lineOf(text, 'RestartPreventExitStatus')).toBe(String(exits.endedOnRequest))
    expect(lineOf(text, 'SuccessExitStatus')).toBe(`${exits.replaceMe} ${exits.endedOnRequest}`)
    expect(lineOf(text, 'KillMode')).toBe('process')
    expect(text).not.toMatch(/^User=/m)
    // What would take something from the programs, or be inherited by them.
    expect(text).not.toMatch(/^(NoNewPrivileges|Protect\w+|Private\w+|Restrict[A-Z]\w+s|UMask|OOMScoreAdjust|SystemCall\w+)=/m)
  })

  test('another user is heard through any process', () => {
    const text = unitText({ ...installed, user: 'skein', env: { TZ: 'Europe/Rome', ODD: 'a "b" 5% \\ $x\nnext' } })
    expect([lineOf(text, 'User'), lineOf(text, 'NotifyAccess')]).toEqual(['skein', 'all'])
    expect(text).toContain('Environment="TZ=Europe/Rome"\nEnvironment="ODD=a \\"b\\" 5%% \\\\ $x\\nnext"\n')
  })

  test('installedIn() reads what it was made from', () => {
    const odd: Installed = {
      ...installed,
      flags: ['--labels', 'a=b c%$"'],
      program: { kind: 'in-place', folder: '/srv/my skein' },
    }
    expect(installedIn(unitText(odd))).toEqual(odd)
    expect(installedIn('[Unit]\nDescription=something else\n')).toBeUndefined()
    expect(installedIn('[X-Skein]\nInstalled={"half\n')).toBeUndefined()
  })

  test.each([
    ['/plain/path-1.2', '/plain/path-1.2'],
    ['with blank', '"with blank"'],
    ['100%', '"100%%"'],
    ['$HOME', '"$$HOME"'],
    ['', '""'],
    ['a"b\\c', '"a\\"b\\\\c"'],
  ])('asWord(%j) keeps systemd from reading anything into it', (word, expected) => {
    expect(asWord(word)).toBe(expected)
  })
})

const jwt = (claims: object) => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.y`
const orderOf = (verb: ServiceVerb, ...argv: string[]): Order => {
  const read = readOrder(verb, argv, '/work')
  if (read.kind !== 'order') throw new Error(JSON.stringify(read))
  return read.order
}

describe('readOrder()', () => {
  test('tells flags of its own from settings of the daemon, which it makes absolute', () => {
    const order = orderOf(
      'install',
      '--user',
      'root',
      '--env',
      'A=b=c',
      '--data',
      'data',
      '--name=pi',
      '--labels',
      'a=b,c=d',
      '--tls-ca=package.json',
    )
    expect(order).toMatchObject({ unit: 'skein-device', user: null, env: { A: 'b=c' }, prefix: '/opt/skein', waitMs: 60_000 })
    expect(order.device?.config.name).toBe('pi')
    expect(order.device?.flags).toEqual(['--data', '/work/data', '--tls-ca', '/work/package.json', '--labels', 'a=b,c=d'])
  })

  test('keeps secrets out of the flags, and takes --token for what it says it is', () => {
    const join = jwt({ role: 'join' })
    expect(orderOf('install', '--token', join).device).toMatchObject({
      joinToken: join,
      token: undefined,
      flags: ['--data', '/var/lib/skein'],
    })
    const own = jwt({ role: 'device' })
    expect(orderOf('install', '--token', own).device).toMatchObject({ joinToken: undefined, token: own })
    expect(orderOf('install', '--join-token', join).device).toMatchObject({ joinToken: join, token: undefined })
  })

  test.each<[ServiceVerb, string[], string]>([
    ['install', ['--unit-nme', 'x'], '--unit-nme'],
    ['install', ['--capacity', 'many'], 'capacity'],
    ['install', ['--env', 'novalue'], '--env'],
    ['install', ['--user', 'a b'], '--user'],
    ['install', ['--in-place', '--prefix', '/x'], '--in-place'],
    ['install', ['--unit-name', '../x'], '--unit-name'],
    ['upgrade', ['--form', 'x'], 'did you mean --from?'],
    ['upgrade', ['--timeout', '0'], '--timeout'],
    ['upgrade', ['--from'], '--from needs a value'],
    ['uninstall', ['now'], 'unexpected "now"'],
  ])('%s %j is wrong usage', (verb, argv, said) => {
    const read = readOrder(verb, argv, '/work')
    expect(read.kind === 'wrong' && read.problems.join('\n')).toContain(said)
  })

  test('--help beats all', () => expect(readOrder('upgrade', ['--from', 'x', '--help'], '/')).toEqual({ kind: 'help' }))
})

const nothing: Before = { unitText: undefined, activeState: 'inactive', current: undefined }
const pack = { folder: '/src', release: '1.0.0-new' }
const running: Before = {
  unitText: unitText(installed),
  activeState: 'active',
  current: '/opt/skein/releases/1.0.0-old',
}
const none = { joinToken: undefined, token: undefined }
const systemctls = (steps: readonly { do: string; args?: readonly string[] }[]): string[] =>
  steps.flatMap((step) => (step.do === 'systemctl' ? [step.args?.[0] ?? ''] : []))

describe('plans', () => {
  test('planInstall() tries the program before it touches the service, and starts it last', () => {
    const { steps } = planInstall(installed, pack, { joinToken: 'secret', token: undefined }, nothing)
    expect(steps.map((step) => step.do)).toEqual([
      'copy',
      'try',
      'folder',
      'folder',
      'folder',
      'write',
      'switch',
      'write',
      'systemctl',
      'systemctl',
      'systemctl',
      'wait',
      'remove',
      'prune',
    ])
    expect(systemctls(steps)).toEqual(['daemon-reload', 'enable', 'start'])
    expect(steps.map(stepText).join('\n')).not.toContain('secret')
  })

  test('planInstall() of what runs reloads it, never restarts it', () => {
    expect(systemctls(planInstall(installed, pack, none, running).steps)).toEqual(['daemon-reload', 'enable', 'reload'])
    expect(systemctls(planInstall(installed, pack, none, { ...running, activeState: 'activating' }).steps)).toContain('kill')
  })

  test('planInstall() for a user gives it the data, and of the tree below only its own', () => {
    const owned = planInstall({ ...installed, user: 'skein' }, pack, none, nothing).steps.flatMap((step) =>
      step.do === 'own' ? [step] : [],
    )
    expect(owned.map(({ recursive, paths }) => [recursive, paths.includes('/var/lib/skein')])).toEqual([
      [false, true],
      [true, false],
    ])
  })

  test('planUpgrade() replaces the daemon, and knows the way back', () => {
    const { steps, undo } = planUpgrade(installed, pack, running)
    expect(steps.map((step) => step.do)).toEqual(['copy', 'try', 'switch', 'systemctl', 'wait', 'prune'])
    expect(systemctls(steps)).toEqual(['reload'])
    expect(steps.at(-1)).toMatchObject({ keep: ['1.0.0-new', '1.0.0-old'] })
    expect(undo.map((step) => step.do)).toEqual(['switch', 'systemctl', 'systemctl', 'wait'])
    expect(undo[0]).toMatchObject({ to: '/opt/skein/releases/1.0.0-old' })
    // It may hang: a signal that it could ignore would not do.
    expect(undo[2]).toMatchObject({ args: ['kill', '--kill-who=main', '--signal=KILL', 'skein-device.service'] })
  })

  test('planUpgrade() writes a unit of another form anew, and back', () => {
    const { steps, undo } = planUpgrade(installed, pack, { ...running, unitText: '# older' })
    expect(steps.filter((step) => step.do === 'write')).toHaveLength(1)
    expect(undo.find((step) => step.do === 'write')).toMatchObject({ text: '# older' })
  })

  test('planUpgrade() does not start what was stopped, and has no copy of what runs in place', () => {
    expect(systemctls(planUpgrade(installed, pack, { ...running, activeState: 'inactive' }).steps)).toEqual([])
    const inPlace: Installed = { ...installed, program: { kind: 'in-place', folder: '/src' } }
    const { steps, undo } = planUpgrade(inPlace, pack, { ...running, unitText: unitText(inPlace), current: undefined })
    expect([steps.map((step) => step.do), undo]).toEqual([['try', 'systemctl', 'wait'], []])
  })

  test('planUninstall() leaves the data, and the program if another unit has it', () => {
    const removed = (others: Installed[], purge: boolean) =>
      planUninstall(installed, others, purge).steps.flatMap((step) => (step.do === 'remove' ? [step.path] : []))
    expect(removed([], false)).toEqual(['/etc/systemd/system/skein-device.service', '/opt/skein/current', '/opt/skein/releases'])
    expect(removed([{ ...installed, unit: 'other' }], false)).toEqual(['/etc/systemd/system/skein-device.service'])
    expect(removed([], true)).toContain('/var/lib/skein/devices/pi')
    // Whatever else may lie in the folder, as of a hub on the same machine.
    expect(removed([], true)).not.toContain('/var/lib/skein')
  })
})

/** A clock that passes as soon as it is waited for. */
const quickClock = () => {
  let now = 0
  const timers: { at: number; call: () => void }[] = []
  const clock: Clock = {
    now: () => now,
    mono: () => now,
    soon: (call) => void setImmediate(call),
    after: (ms, call) => {
      const timer = { at: now + ms, call }
      timers.push(timer)
      return { cancel: () => void timers.splice(timers.indexOf(timer), timers.includes(timer) ? 1 : 0) }
    },
  }
  const pass = async (ms: number): Promise<void> => {
    const until = now + ms
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      const next = timers.sort((a, b) => a.at - b.at)[0]
      if (!next || next.at > until) break
      timers.splice(timers.indexOf(next), 1)
      now = next.at
      next.call()
    }
    now = until
  }
  return { clock, pass }
}

describe('waitUntilReady()', () => {
  const state = (change: Partial<UnitState> = {}): UnitState => ({
    activeState: 'active',
    subState: 'running',
    mainPid: 8,
    mainStatus: 0,
    lastPid: 8,
    statusText: readyText('pi', '1.0.0', '/opt/skein/releases/new'),
    ...change,
  })
  const wait = async (...states: UnitState[]) => {
    const { clock, pass } = quickClock()
    const said: string[] = []
    const options = {
      unit: 'u',
      folder: '/opt/skein/releases/new',
      before: 7,
      waitMs: 10_000,
      clock,
      progress: (text: string) => said.push(text),
    }
    const result = waitUntilReady({ ...options, look: () => (states.length > 1 ? states.shift() : states[0]) ?? state() }).then(
      ({ mainPid }) => mainPid,
      (error: Error) => error.message,
    )
    await pass(20_000)
    return result
  }

  test('takes no other daemon for the one that is meant', async () => {
    expect(await wait(state({ mainPid: 7, lastPid: 7 }), state({ activeState: 'activating', mainPid: 8 }), state())).toBe(8)
    expect(await wait(state({ mainPid: 7, lastPid: 7 }))).toContain('not ready after 10 s')
    expect(await wait(state({ statusText: readyText('pi', '1.0.0', '/opt/skein/releases/old') }))).toContain('not ready')
  })

  test('says at once with what a daemon exits', async () => {
    expect(await wait(state({ activeState: 'deactivating', subState: 'stop-post', mainStatus: 78 }))).toBe(
      'its daemon exits with 78',
    )
  })

  test('does not take the end of the one before for that of the new one', async () => {
    const gone = state({ activeState: 'deactivating', subState: 'stop-post', mainPid: 0, lastPid: 7, mainStatus: 3 })
    expect(await wait(gone, gone, state())).toBe(8)
  })

  test('a daemon that was asked to be replaced, or killed, is waited for', async () => {
    const gone = state({ activeState: 'activating', subState: 'auto-restart', mainPid: 0 })
    expect(await wait({ ...gone, mainStatus: exits.replaceMe }, { ...gone, mainStatus: 9 }, state())).toBe(8)
  })
})

describe('startNotify()', () => {
  const notifying = (env: Record<string, string>) => {
    const { clock, pass } = quickClock()
    const sent: string[][] = []
    const send = async (assignments: readonly string[]): Promise<void> => void sent.push([...assignments])
    return { sent, pass, notify: startNotify({ env, pid: 5, clock, log: silentLog, send }) }
  }

  test('says nothing where nobody asked for it', async () => {
    const { sent, pass, notify } = notifying({})
    notify.ready('x')
    await pass(100_000)
    expect(sent).toEqual([])
  })

  test('is ready, and then pings three times in each interval', async () => {
    const { sent, pass, notify } = notifying({ NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '60000000', WATCHDOG_PID: '5' })
    notify.ready('all\nwell')
    await pass(60_000)
    expect(sent).toEqual([['READY=1', 'STATUS=all well'], ['WATCHDOG=1'], ['WATCHDOG=1'], ['WATCHDOG=1']])
  })

  test('does not ping for another process', async () => {
    const { sent, pass, notify } = notifying({ NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '60000000', WATCHDOG_PID: '6' })
    notify.ready('x')
    await pass(60_000)
    expect(sent).toHaveLength(1)
  })

  test('asks for more time while it ends, and not for ever', async () => {
    const { sent, pass, notify } = notifying({ NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '60000000' })
    notify.ready('x')
    notify.stopping()
    await pass(59_000)
    expect(sent.flat().filter((one) => one.startsWith('EXTEND'))).toHaveLength(3)
    expect(sent.flat()).toContain('STOPPING=1')
    await pass(4_000_000)
    const { length } = sent
    await pass(100_000)
    expect(sent).toHaveLength(length)
  })

  test('sends one message at a time, with what came meanwhile in the next, and none after its close', async () => {
    const { clock, pass } = quickClock()
    const sent: string[][] = []
    let letGo = (): void => {}
    const send = (assignments: readonly string[]): Promise<void> => {
      sent.push([...assignments])
      return new Promise((resolve) => {
        letGo = resolve
      })
    }
    const notify = startNotify({ env: { NOTIFY_SOCKET: '/x' }, pid: 5, clock, log: silentLog, send })
    for (const text of ['a', 'b', 'c']) notify.status(text)
    expect(sent).toEqual([['STATUS=a']])
    letGo()
    await pass(0)
    expect(sent).toEqual([['STATUS=a'], ['STATUS=c']])
    notify.status('d')
    const closed = notify.close()
    letGo()
    await closed
    await pass(10)
    expect(sent).toHaveLength(2)
  })
})
