import { describe, expect, test } from 'vitest'
import { chanceFrom } from '../../base/chance.ts'
import { silentLog } from '../../base/log.ts'
import { createEscape } from '../../controller/cli/escape.ts'
import { createShellOutput } from '../../device/workloads/shell/output.ts'
import { createShells } from '../../device/workloads/shell/sessions.ts'
import type { TerminalOrder, TerminalWatcher } from '../../device/workloads/shell/terminal.ts'
import { accepted, type Outcome, refused } from '../../schemas/errors.ts'
import type { ShellAnswer, ShellQuestion } from '../../schemas/workload-shell.ts'
import { clockOf, createTime } from '../simulation/sim-clock.ts'
import { createPace } from './desk.ts'

describe('createShellOutput()', () => {
  test('gives what follows an offset, and jumps over what is not kept', () => {
    const output = createShellOutput(10)
    output.add(Buffer.from('abcde'))
    expect(output.after(2, 2)).toEqual({ bytes: Buffer.from('cd'), next: 4 })
    expect(output.after(5, 9)).toEqual({ bytes: Buffer.alloc(0), next: 5 })
    expect(output.after(1e9, 9)).toEqual({ bytes: Buffer.alloc(0), next: 5 })
    for (const part of ['fghij', 'klmno', 'pqrstu']) output.add(Buffer.from(part))
    expect(output.total()).toBe(21)
    expect(output.after(5, 3)).toEqual({ bytes: Buffer.from('lmn'), next: 14 })
    expect(output.after(14, 99)).toEqual({ bytes: Buffer.from('opqrstu'), next: 21 })
  })
})

describe('createEscape()', () => {
  const through = (...parts: string[]) => {
    const passing = createEscape()
    const given = parts.map((part) => passing(Buffer.from(part)))
    return [given.map(({ pass }) => pass.toString()).join(''), given.some(({ leaves }) => leaves)]
  }
  test('leaves by ~. at the start of a line only, and passes all else', () => {
    expect(through('~.')).toEqual(['', true])
    expect(through('ls\r', '~', '.x')).toEqual(['ls\r', true])
    expect(through('a~.\r')).toEqual(['a~.\r', false])
    expect(through('~~.\r')).toEqual(['~.\r', false])
    expect(through('~/bin\r~\r~.')).toEqual(['~/bin\r~\r', true])
  })
})

describe('createShells()', () => {
  const world = (isOn = true) => {
    const time = createTime()
    const { advance } = createPace(time)
    const opened: { order: TerminalOrder; watcher: TerminalWatcher; did: string[] }[] = []
    const shells = createShells({
      isOn,
      clock: clockOf(time, { isDead: false, wallOffsetMs: 0 }),
      chance: chanceFrom((count) => new Uint8Array(count)),
      log: silentLog,
      plan: async (workload, term) =>
        workload === 'web'
          ? accepted({ words: ['sh'], as: [], env: { TERM: term }, cwd: '/' })
          : refused('not_found', `no workload "${workload}"`),
      open: (order, watcher) => {
        const did: string[] = []
        opened.push({ order, watcher, did })
        return {
          write: (bytes) => did.push(`write ${bytes}`),
          resize: ({ rows, columns }) => did.push(`resize ${rows} ${columns}`),
          hangUp: () => {
            did.push('hang up')
            watcher.ended(129)
          },
          kill: () => did.push('kill'),
        }
      },
    })
    const ask = (more: Partial<ShellQuestion>) =>
      shells.ask({ workload: 'web', after: 0, wait_seconds: 0, term: 'dumb', by: 'ann', ...more })
    return { advance, opened, shells, ask }
  }
  const outputOf = (outcome: Outcome<ShellAnswer>): ShellAnswer => {
    if (!outcome.ok) throw new Error(outcome.error.message)
    return outcome.output
  }
  const codeOf = (outcome: Outcome<unknown>) => (outcome.ok ? 'ok' : [outcome.error.code, outcome.error.details?.[0]?.code])

  test('opens none where it is off, and says what turns it on', async () => {
    const { ask, opened } = world(false)
    const outcome = await ask({})
    expect([codeOf(outcome), opened.length]).toEqual([['forbidden', 'remote_shell_off'], 0])
    expect(outcome.ok ? '' : outcome.error.message).toContain('remote_shell')
  })

  test('types what is written in order, and gives what comes', async () => {
    const { ask, opened } = world()
    const { session } = outputOf(await ask({ rows: 5, columns: 9, term: 'vt100' }))
    expect(opened[0]?.order).toMatchObject({ mark: session, size: { rows: 5, columns: 9 }, env: { TERM: 'vt100' } })
    for (const write of ['YQ==', 'Yg==']) await ask({ session, write })
    await ask({ session, rows: 6, columns: 7 })
    expect(opened[0]?.did).toEqual(['write a', 'write b', 'resize 6 7'])
    opened[0]?.watcher.output(Buffer.from('hello'))
    expect(outputOf(await ask({ session, after: 1 }))).toEqual({
      ...{ session, output: Buffer.from('ello').toString('base64'), next: 5, has_ended: false, exit_code: null },
    })
    opened[0]?.watcher.ended(7)
    expect(outputOf(await ask({ session }))).toMatchObject({ next: 5, has_ended: true, exit_code: 7 })
  })

  test('a question waits for something new, and no longer than it says', async () => {
    const { ask, opened, advance } = world()
    const { session } = outputOf(await ask({}))
    const answers: ShellAnswer[] = []
    const begin = () => void ask({ session, wait_seconds: 5 }).then((outcome) => answers.push(outputOf(outcome)))
    begin()
    await advance(4900)
    expect(answers).toEqual([])
    await advance(200)
    expect(answers).toMatchObject([{ next: 0 }])
    begin()
    opened[0]?.watcher.output(Buffer.from('x'))
    await advance(0)
    expect(answers.at(-1)).toMatchObject({ next: 1 })
  })

  test('belongs to who opened it, and to its workload', async () => {
    const { ask, opened } = world()
    const { session } = outputOf(await ask({}))
    expect(codeOf(await ask({ session, by: 'bob', write: 'YQ==' }))).toEqual(['forbidden', 'forbidden'])
    expect(codeOf(await ask({ session, workload: 'other' }))).toEqual(['not_found', 'not_found'])
    expect(codeOf(await ask({ session: 'none' }))).toEqual(['not_found', 'not_found'])
    expect(codeOf(await ask({ workload: 'other' }))).toEqual(['not_found', undefined])
    expect(opened[0]?.did).toEqual([])
  })

  test('four at a time, also when they are asked for at once; one that has ended does not count', async () => {
    const { ask } = world()
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => ask({})))
    expect(all.map(codeOf)).toEqual(['ok', 'ok', 'ok', 'ok', ['conflict', 'too_many_shells']])
    const session = outputOf(all[0] as Outcome<ShellAnswer>).session // five were asked for
    expect(outputOf(await ask({ session, end: true }))).toMatchObject({ has_ended: true, exit_code: 129 })
    expect(codeOf(await ask({ session }))).toEqual(['not_found', 'not_found'])
    expect(codeOf(await ask({}))).toBe('ok')
  })

  test('ends when nobody asks for ten minutes, and with the daemon', async () => {
    const { ask, opened, advance, shells } = world()
    const { session } = outputOf(await ask({}))
    await advance(599_000)
    await ask({ session })
    await advance(599_000)
    expect(opened[0]?.did).toEqual([])
    await advance(2000)
    expect(opened[0]?.did).toEqual(['hang up'])
    await advance(61_000)
    expect(codeOf(await ask({ session }))).toEqual(['not_found', 'not_found'])
    await ask({})
    await shells.close()
    expect(opened[1]?.did).toEqual(['hang up'])
    expect(codeOf(await ask({}))).toEqual(['unavailable', 'ending'])
  })
})
