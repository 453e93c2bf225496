import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runCli } from '../../controller/cli/cli.ts'
import { programOf } from '../../controller/cli/program.ts'
import { taskOfRun } from '../../controller/cli/run.ts'
import { completed, readTaskFile } from '../../controller/cli/task-files.ts'
import { findWhere } from '../../controller/cli/where.ts'
import { readTask } from '../../schemas/task.ts'
import { recordingIo } from './cli-io.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-cli-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const jwt = (claims: object) => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.y`
const cli = async (...argv: string[]) => {
  const { io, written } = recordingIo({ env: { SKEIN_DATA: join(folder, 'none') } })
  const exitCode = await runCli(io, argv)
  return { exitCode, ...written }
}

describe('runCli()', () => {
  test('exits 2 for wrong usage, with what was meant', async () => {
    expect(await cli('tsk')).toMatchObject({ exitCode: 2, out: '', err: expect.stringContaining('Did you mean task?') })
    expect(await cli('task', 'list', '--limt', '3')).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('Did you mean --limit?'),
    })
    expect(await cli('task', 'list', '--limit', '1001')).toMatchObject({ exitCode: 2 })
    expect(await cli('task', 'logs', 'some', '--tail', '0')).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('at least 1'),
    })
    expect(await cli('task', 'logs', 'some', '--before', '0')).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('at least 1'),
    })
    expect(await cli('run')).toMatchObject({ exitCode: 2 })
    expect(await cli('run', '--env', 'novalue', '--', 'x')).toMatchObject({ exitCode: 2 })
    expect(await cli('task')).toMatchObject({ exitCode: 2 })
    expect(await cli('status', '--timeout', 'soon')).toMatchObject({ exitCode: 2 })
    expect(await cli('task', 'submit', join(folder, 'nothing.yaml'))).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('no such file'),
    })
  })

  test('a path at which nothing can be written or read is wrong usage, and told before anybody is asked', async () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    const create = ['token', 'create', '--name', 'x', '--role', 'viewer', '--file']
    for (const [argv, why] of [
      [[...create, join(folder, 'gone', 'token')], '--file: there is no folder'],
      [[...create, folder], `--file: "${folder}" is a folder`],
      [['backup', join(folder, 'gone', 'b.tar'), '--data', folder], 'backup: there is no folder'],
      [['backup', folder, '--data', folder], 'is a folder'],
      [['restore', folder, '--dry-run'], 'is a folder'],
      [['restore', join(folder, 'gone'), '--dry-run'], 'there is no file'],
      [['broker-config', 'nats', '--data', join(folder, 'data'), '--out', file], '--out: nothing can be written into'],
    ] as const)
      expect(await cli(...argv), argv.join(' ')).toMatchObject({ exitCode: 2, out: '', err: expect.stringContaining(why) })
  })

  test('prints errors as one JSON document with --json, wherever it stands', async () => {
    for (const argv of [
      ['--json', 'status'],
      ['status', '--json'],
      ['task', '--json', 'list'],
    ]) {
      const { exitCode, out, err } = await cli(...argv)
      expect({ exitCode, err }).toEqual({ exitCode: 4, err: '' })
      expect(JSON.parse(out)).toEqual({ error: { code: 'unreachable', message: expect.stringContaining('npm start') } })
    }
    expect(JSON.parse((await cli('tsk', '--json')).out)).toEqual({
      error: { code: 'usage', message: expect.stringContaining('tsk') },
    })
    for (const argv of [
      ['--json', 'token'],
      ['token', '--json'],
    ])
      expect(JSON.parse((await cli(...argv)).out)).toEqual({
        error: { code: 'usage', message: '"token" wants a verb: create, list, revoke' },
      })
    expect(JSON.parse((await cli('--json')).out).error.message).toMatch(/^"skein" wants a verb: run, task,/)
  })

  test('leaves --json behind -- to the program', async () => {
    expect(await cli('run', '--', 'x', '--json')).toMatchObject({ exitCode: 4, out: '' })
  })

  test('exits 0 for help and version', async () => {
    expect(await cli('--help')).toMatchObject({ exitCode: 0, out: expect.stringContaining('Exit status') })
    expect(await cli('run', '--help')).toMatchObject({ exitCode: 0, out: expect.stringContaining('--connect-timeout') })
    expect(await cli('--version')).toMatchObject({ exitCode: 0 })
  })

  test('completion is made from the tree', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { exitCode, out } = await cli('completion', shell)
      expect(exitCode).toBe(0)
      expect(out).toContain('task logs')
      expect(out).toContain('selector')
    }
    expect(await cli('completion', 'tcsh')).toMatchObject({ exitCode: 2 })
  })
})

describe('skein run', () => {
  /** What the flags of a `run` line make of it, up to the door. */
  const draft = (...argv: string[]) => {
    const program = programOf(recordingIo().io, () => Promise.resolve())
    const command = program.commands.find((one) => one.name() === 'run')
    return command?.parseOptions(argv)
  }

  test('takes what stands behind the first word as the program, flags too', () => {
    expect(draft('--device', 'a', 'ls', '-l', '--all')).toEqual({ operands: ['ls', '-l', '--all'], unknown: [] })
    expect(draft('--', 'sh', '-c', 'echo', '--', '--json')).toMatchObject({ operands: ['sh', '-c', 'echo', '--', '--json'] })
  })

  test('taskOfRun() makes a task that is accepted', () => {
    const task = taskOfRun(
      ['sh', '-c', 'x'],
      {
        device: 'pi',
        workTimeout: 5,
        env: { A: 'b=c' },
        cwd: '/tmp',
        priority: 'high',
        retries: 2,
        name: 'n',
        tag: ['t'],
      },
      'k',
    )
    expect(readTask(task)).toMatchObject({
      ok: true,
      task: {
        idempotency_key: 'k',
        source: 'cli',
        priority: 'high',
        tags: ['t'],
        metadata: { name: 'n' },
        payload: { command: ['sh', '-c', 'x'], env: { A: 'b=c' }, cwd: '/tmp' },
        target: { device: 'pi' },
        options: { timeout_seconds: 5, retries: 2 },
      },
    })
    expect(readTask(taskOfRun(['echo $HOME'], {}, 'k'))).toMatchObject({ ok: true, task: { payload: { command: 'echo $HOME' } } })
  })
})

describe('skein workload', () => {
  test('wrong usage is told before anybody is asked', async () => {
    for (const [argv, why] of [
      [['workload'], 'Usage: skein workload'],
      [['workload', 'start'], "missing required argument 'workload'"],
      [['workload', 'logs', 'a', '-f', '--since', '10m'], 'go without it'],
      [['workload', 'logs', 'a', '--tail', '10001'], 'at most 10000'],
      [['workload', 'exec', 'a'], "missing required argument 'command'"],
      [['workload', 'exec', 'a', '--timeout', '-1', '--', 'x'], 'number of seconds, or 0'],
      [['workload', 'strat', 'a'], 'Did you mean start?'],
    ] as const)
      expect(await cli(...argv), argv.join(' ')).toMatchObject({ exitCode: 2, out: '', err: expect.stringContaining(why) })
    expect(await cli('workload', 'exec', 'a', '--device', 'd', '--', 'ls', '--json')).toMatchObject({ exitCode: 4, out: '' })
  })

  test('exec is a task within the workload', () => {
    const task = taskOfRun(['env'], { device: 'pi', within: 'ticker', workTimeout: 30 }, 'k')
    expect(readTask(task)).toMatchObject({
      ok: true,
      task: { payload: { command: 'env', within: 'ticker' }, target: { device: 'pi' }, options: { timeout_seconds: 30 } },
    })
  })
})

describe('readTaskFile()', () => {
  const read = (text: string) => {
    writeFileSync(join(folder, 'task'), text)
    return readTaskFile(recordingIo().io, join(folder, 'task'))
  }
  test('reads JSON and YAML, one or a list, from a file or standard input', async () => {
    expect(await read('{"payload":{"command":"x"}}')).toEqual({ tasks: [{ payload: { command: 'x' } }], isList: false })
    expect(await read('- payload: {command: x}\n- payload:\n    script: |\n      #!/bin/sh\n      true\n')).toEqual({
      tasks: [{ payload: { command: 'x' } }, { payload: { script: '#!/bin/sh\ntrue\n' } }],
      isList: true,
    })
    const { io } = recordingIo({ readStdin: () => Promise.resolve('type: test') })
    expect(await readTaskFile(io, '-')).toEqual({ tasks: [{ type: 'test' }], isList: false })
  })
  test('refuses what holds no task, with the exit code of wrong usage', async () => {
    for (const text of ['', '7', '[1]', '{"a":', `# ${'x'.repeat(300_000)}`]) {
      await expect(read(text), text.slice(0, 10)).rejects.toMatchObject({ exitCode: 2 })
    }
  })
  test('completed() adds a key and a source, and takes none away', () => {
    expect(completed({ type: 'test' }, () => 'new')).toEqual({ type: 'test', source: 'cli', idempotency_key: 'new' })
    expect(completed({ source: 'ci', idempotency_key: 'own' }, () => 'new')).toEqual({ source: 'ci', idempotency_key: 'own' })
  })
})

describe('findWhere()', () => {
  test('takes flags before the environment before the data folder', () => {
    mkdirSync(join(folder, 'd'))
    writeFileSync(join(folder, 'd', 'endpoints.json'), JSON.stringify({ fleet: 'geese', mqtt: 'mqtt://127.0.0.1:1' }))
    writeFileSync(join(folder, 'd', 'admin.token'), `${jwt({ sub: 'admin' })}\n`)
    const data = join(folder, 'd')
    expect(findWhere({ data }, {})).toEqual({
      ok: true,
      where: { url: 'mqtt://127.0.0.1:1', token: jwt({ sub: 'admin' }), fleet: 'geese', subject: 'admin', login: 'token' },
    })
    const env = { SKEIN_DATA: data, SKEIN_URL: 'mqtt://env', SKEIN_TOKEN: jwt({ sub: 'ann' }), SKEIN_FLEET: 'swans' }
    expect(findWhere({}, env)).toMatchObject({ where: { url: 'mqtt://env', subject: 'ann', fleet: 'swans' } })
    expect(findWhere({}, { ...env, SKEIN_LOGIN: 'digest' })).toMatchObject({ where: { login: 'digest' } })
    expect(findWhere({ login: 'none' }, env)).toMatchObject({ ok: false, kind: 'usage' })
    expect(findWhere({ url: 'host:1883', token: jwt({ sub: 'bob' }), fleet: 'x' }, env)).toMatchObject({
      where: { url: 'mqtt://host:1883', subject: 'bob', fleet: 'x' },
    })
  })
  test('says what it looked for', () => {
    expect(findWhere({ data: join(folder, 'no') }, {})).toMatchObject({ ok: false, kind: 'missing', mayCome: false })
    expect(findWhere({ data: folder }, {})).toMatchObject({ ok: false, kind: 'missing', mayCome: true })
    expect(findWhere({ url: 'http://x', token: jwt({ sub: 'a' }) }, {})).toMatchObject({ ok: false, kind: 'usage' })
    expect(findWhere({ url: 'mqtt://x', token: 'nonsense' }, {})).toMatchObject({ ok: false, kind: 'token' })
    expect(findWhere({ url: 'mqtt://x', token: jwt({ sub: '../up' }) }, {})).toMatchObject({ ok: false, kind: 'token' })
  })
})
