import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { envNameOf, flagOf, type Part, parts, type SettingKey, settingKeys, settingOf } from '../../base/settings.ts'
import { exitCodes } from '../../controller/cli/exit.ts'
import { errorCodes } from '../../schemas/errors.ts'
import { eventKinds } from '../../schemas/event.ts'
import { commandBodies } from '../../schemas/exchange.ts'
import { operations } from '../../schemas/operations.ts'
import { ProcessPayload } from '../../schemas/process.ts'
import { runStates } from '../../schemas/run-states.ts'
import { Options, optionDefaults, Target, TaskInput } from '../../schemas/task.ts'
import { taskStates } from '../../schemas/task-states.ts'
import { topicTable } from '../../schemas/topics.ts'
import { collect, type Installation, plainEnv, startInstallation } from '../harness/installation.ts'
import { mosquittoPubProgram } from '../harness/mosquitto.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const skein = join(root, 'bin/skein')
const pages = ['README.md', 'CHANGELOG.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)]
const textOf = (page: string): string => readFileSync(join(root, page), 'utf8')

/** What stands under a heading, up to the next one of the same or a higher level. */
const section = (page: string, heading: string): string => {
  const lines = textOf(page).split('\n')
  const start = lines.indexOf(heading)
  expect(start, `${page} has "${heading}"`).toBeGreaterThanOrEqual(0)
  const level = heading.indexOf(' ')
  const length = lines.slice(start + 1).findIndex((line) => /^#+ /.test(line) && line.indexOf(' ') <= level)
  return lines.slice(start, length < 0 ? undefined : start + 1 + length).join('\n')
}

/** The rows of the table that begins with these headings, without heading and rule; not padded. */
const table = (text: string, firstHeading: string): string[] => {
  const lines = text.split('\n').map((line) => (line.startsWith('|') ? line.replace(/ +/g, ' ') : line))
  const start = lines.findIndex((line) => line.startsWith(`| ${firstHeading}`))
  expect(start, `a table with the heading "${firstHeading}"`).toBeGreaterThanOrEqual(0)
  const end = lines.findIndex((line, i) => i > start && !line.startsWith('|'))
  return lines.slice(start + 2, end < 0 ? undefined : end)
}
const cellsOf = (row: string): string[] =>
  row
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())
const plain = (cell: string | undefined): string => (cell ?? '').replaceAll('`', '')
const column = (rows: readonly string[], i: number): string[] => rows.map((row) => plain(cellsOf(row)[i]))
/** Names that stand in backticks. */
const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map((found) => found[1] ?? '')

describe('tables agree with the code', () => {
  const protocol = 'docs/protocol.md'

  test('topics', () => {
    expect(table(section(protocol, '## Topics'), 'topic below `<p>`')).toEqual(
      Object.values(topicTable).map(
        ({ pattern, writers, readers, retained, qos }) =>
          `| \`${pattern}\` | ${writers.join(', ')} | ${readers.join(', ')} | ${retained ? 'yes' : 'no'} | ${qos} |`,
      ),
    )
  })

  test('operations', () => {
    expect(table(section(protocol, '## Operations'), 'operation | least role')).toEqual(
      Object.entries(operations).map(
        ([name, { role, http, summary }]) =>
          `| \`${name}\` | ${role} | \`${http.method.toUpperCase()} /api/v1${http.path}\` | ${summary} |`,
      ),
    )
    for (const row of table(section(protocol, '## Operations'), 'operation | input')) {
      const [name = '', input = ''] = cellsOf(row)
      const operation = Object.entries(operations).find(([one]) => one === plain(name))?.[1]
      expect(operation, name).toBeDefined()
      if (plain(name) === 'task.submit' || !operation || !('shape' in operation.input)) continue
      const fields = Object.keys(operation.input.shape).filter((field) => !operation.http.path.includes(`{${field}}`))
      expect(quoted(input).sort(), name).toEqual(fields.sort())
    }
  })

  test('errors', () => {
    expect(table(section(protocol, '## Errors'), 'code')).toEqual(
      Object.entries(errorCodes).map(
        ([code, { status, retryable, meaning }]) => `| \`${code}\` | ${status} | ${retryable ? 'yes' : 'no'} | ${meaning} |`,
      ),
    )
  })

  test('settings', () => {
    const usual = (key: SettingKey, part: Part): string => {
      const value = settingOf(key).usual?.(part)
      return value === undefined || value === false || typeof value === 'object' ? '–' : `\`${String(value)}\``
    }
    const defaultOf = (key: SettingKey): string => {
      if (key === 'data') return `${usual(key, 'up')} for \`up\`, ${usual(key, 'device')} for a part`
      return key === 'capacity' ? 'number of cores' : usual(key, 'up')
    }
    expect(table(section('docs/operations.md', '## Settings'), 'YAML key')).toEqual(
      settingKeys.map((key) => {
        const { parts: of, about } = settingOf(key)
        return `| \`${key}\` | \`${flagOf(key)}\` | \`${envNameOf(key)}\` | ${defaultOf(key)} | ${of.join(', ')} | ${about} |`
      }),
    )
    for (const row of table(section('README.md', '## Addresses and settings'), 'what')) {
      const [, value, flag, variable] = cellsOf(row)
      const key = settingKeys.find((one) => envNameOf(one) === plain(variable))
      expect(key && [flagOf(key), usual(key, 'up')], row).toEqual([plain(flag), value])
    }
  })

  test('fields of a task', () => {
    const rowsOf = (heading: string) => table(section(protocol, heading), 'field')
    expect(column(rowsOf('### Fields'), 0)).toEqual(Object.keys(TaskInput.shape))
    expect(column(rowsOf('### payload'), 0)).toEqual(Object.keys(ProcessPayload.shape))
    expect(column(rowsOf('### target'), 0)).toEqual(Object.keys(Target.shape))
    expect(column(rowsOf('### options'), 0)).toEqual(Object.keys(Options.shape))
    const defaults = Object.fromEntries(rowsOf('### options').map((row) => [plain(cellsOf(row)[0]), plain(cellsOf(row)[1])]))
    for (const [option, value] of Object.entries(defaults))
      expect(value, option).toBe(String(Object.entries(optionDefaults).find(([one]) => one === option)?.[1] ?? 'none'))
    const filled = TaskInput.parse({ payload: { command: 'true' } })
    for (const row of rowsOf('### Fields').filter((one) => /^\| `(type|priority|metadata|tags)`/.test(one))) {
      const [field, value] = cellsOf(row)
      const found = Object.entries(filled).find(([one]) => one === plain(field))?.[1]
      expect(plain(value)).toBe(typeof found === 'string' ? found : JSON.stringify(found))
    }
  })

  test('states, events and verbs', () => {
    const rows = column(table(section(protocol, '## States'), 'state'), 0)
    const shown = new Set([...taskStates, ...runStates].filter((state) => !['dispatched', 'accepted', 'running'].includes(state)))
    expect(rows.sort()).toEqual([...shown].sort())
    for (const state of [...taskStates, ...runStates]) expect(section(protocol, '## States')).toContain(state)
    for (const kind of column(table(section(protocol, '## Events'), 'kind'), 0)) expect(eventKinds).toContain(kind)
    for (const verb of Object.keys(commandBodies))
      expect(section(protocol, '## Between controller and device')).toContain(`**${verb}**`)
  })

  test('exit codes', () => {
    const documented = column(table(section(protocol, '## Exit codes'), 'exit code'), 0).map(Number)
    for (const code of Object.values(exitCodes)) expect(documented).toContain(code)
  })

  test('every block of JSON can be read, and the messages fit their schemas', () => {
    for (const page of pages) {
      for (const [, body = ''] of textOf(page).matchAll(/```json\n([\s\S]*?)```/g))
        expect(() => JSON.parse(body), body).not.toThrow()
    }
    const envelope = z.looseObject({ verb: z.string(), body: z.unknown() })
    const blocks = [...section(protocol, '## Between controller and device').matchAll(/```json\n([\s\S]*?)```/g)]
    const welcome = blocks.map((one) => envelope.safeParse(JSON.parse(one[1] ?? ''))).find((one) => one.success)?.data
    expect(commandBodies.welcome.safeParse(welcome?.body).success).toBe(true)
  })
})

describe('links', () => {
  const slugs = (page: string): string[] =>
    textOf(page)
      .split('\n')
      .filter((line) => /^#+ /.test(line))
      .map((line) =>
        line
          .replace(/^#+ /, '')
          .toLowerCase()
          .replace(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-'),
      )

  test.each(pages)('of %s lead somewhere', (page) => {
    const links = [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map((found) => found[1] ?? '')
    for (const link of links.filter((one) => !/^https?:/.test(one))) {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : resolve(root, dirname(page), path).slice(root.length)
      expect(existsSync(join(root, target)), `${page}: ${link}`).toBe(true)
      if (anchor !== undefined) expect(slugs(target), `${page}: ${link}`).toContain(anchor)
    }
  })

  test('files that docs/architecture.md names exist', () => {
    const named = quoted(textOf('docs/architecture.md')).filter(
      (one) => /^[a-z]+\/[\w./-]+$/.test(one) && !/^(devices|request)\//.test(one),
    )
    const known = ['', 'controller/', 'device/', 'device/runners/', 'device/workloads/', 'test/unit/']
    for (const file of named.filter((one) => !['controller/controller.db', 'controller/logs.db', 'runs/'].includes(one)))
      expect(
        known.some((folder) => existsSync(join(root, folder, file))),
        file,
      ).toBe(true)
  })
})

describe('commands', () => {
  const helps = new Map<string, Promise<string>>()
  const helpOf = (path: readonly string[]): Promise<string> => {
    const key = path.join(' ')
    const known = helps.get(key)
    if (known) return known
    // `skein device --help` is the daemon's; the help of the verbs is found by `skein help …`.
    const isPart = path.length === 1 && parts.some((part) => part === path[0]) && path[0] !== 'device'
    const [first, ...rest] = path
    const args = isPart || path.length > 1 ? [...path, '--help'] : first === undefined ? ['--help'] : ['help', first, ...rest]
    const help = collect(process.execPath, [skein, ...args], plainEnv()).then(({ code, stdout, stderr }) => {
      expect({ code, stderr }, args.join(' ')).toEqual({ code: 0, stderr: '' })
      return stdout
    })
    helps.set(key, help)
    return help
  }
  const verbsIn = (help: string): string[] =>
    [...(help.split('Commands:')[1] ?? '').matchAll(/^ {2}([a-z][a-z-]*)/gm)].map((found) => found[1] ?? '')

  /** Every `bin/skein …` and `skein …` in code blocks and inline code. */
  const commandsOf = (page: string): string[] => {
    const blocks = [...textOf(page).matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((found) => (found[1] ?? '').split('\n'))
    const inBlocks = blocks.flatMap((line) =>
      [...line.matchAll(/(?:^|[(;&|] ?)bin\/skein ([^;|&)]*)/g)].map((found) => found[1] ?? ''),
    )
    const prose = textOf(page).replace(/```[\s\S]*?```/g, '')
    const inline = quoted(prose).flatMap((code) => /^(?:bin\/)?skein ([a-z-].*)$/.exec(code)?.[1] ?? [])
    return [...inBlocks, ...inline]
  }

  test.each(pages)(
    'of %s exist, with their flags',
    async (page) => {
      for (const command of commandsOf(page)) {
        const words = command.split(/ -- /)[0]?.split(/\s+/).filter(Boolean) ?? []
        const path: string[] = []
        let help = await helpOf([])
        // `device` with a flag is the daemon, with a verb the client's.
        const isDaemon = words[0] === 'device' && words[1]?.startsWith('-')
        if (isDaemon) help = (await collect(process.execPath, [skein, 'device', '--help'], plainEnv())).stdout
        for (const word of isDaemon ? [] : words.filter((one) => !one.startsWith('-'))) {
          const isPart = path.length === 0 && parts.some((part) => part === word)
          const isVerb = verbsIn(help).includes(word)
          if (path.length === 0) expect(isPart || isVerb, `${page}: skein ${command}`).toBe(true)
          if (!isPart && !isVerb) {
            expect(
              verbsIn(help).filter((verb) => verb !== 'help'),
              `${page}: skein ${command}`,
            ).toEqual([])
            break
          }
          if (word === 'help') break
          path.push(word)
          help = await helpOf(path)
        }
        for (const flag of words.filter((word) => /^--?[a-z]/.test(word)))
          expect(help, `${page}: skein ${command}`).toMatch(new RegExp(`(^|[ ,])${flag.split('=')[0]}\\b`, 'm'))
      }
    },
    120_000,
  )

  test('README names every verb of tasks and devices', async () => {
    const readme = textOf('README.md')
    for (const verb of verbsIn(await helpOf(['device'])))
      if (!['help', 'get'].includes(verb)) expect(readme).toContain(`device ${verb}`)
    for (const verb of verbsIn(await helpOf(['task'])))
      if (!['help', 'retry'].includes(verb)) expect(readme).toContain(`task ${verb}`)
  })

  test('every variable that is named exists', () => {
    // SKEIN_PROFILE is the CLI's own.
    const ofRuns = ['SKEIN_PROFILE', 'SKEIN_FLEET', 'SKEIN_DEVICE', 'SKEIN_TASK', 'SKEIN_RUN', 'SKEIN_ATTEMPT']
    ofRuns.push('SKEIN_WORKLOAD', 'SKEIN_WORKLOAD_TYPE', 'SKEIN_FOLDER', 'SKEIN_SLOT', 'SKEIN_PARAMS_JSON', 'SKEIN_ARTIFACTS')
    ofRuns.push('SKEIN_RELEASE', 'SKEIN_RELEASE_DIR')
    const known = new Set([...settingKeys.map(envNameOf), ...ofRuns])
    for (const page of pages)
      for (const [name] of textOf(page).matchAll(/\bSKEIN_[A-Z_]+\b/g)) expect(known.has(name), `${page}: ${name}`).toBe(true)
  })
})

const hasMosquitto = mosquittoPubProgram() !== undefined
describe.skipIf(!hasMosquitto)('the tour of the README', () => {
  let fleet: Installation
  let folder: string
  beforeAll(async () => {
    fleet = await startInstallation({ apart: true, devices: 3 })
    for (const device of ['local-1', 'local-2', 'local-3']) await fleet.online(device)
    // The folder of a user: the clone, with the data folder in it.
    folder = mkdtempSync(join(tmpdir(), 'skein-tour-'))
    symlinkSync(join(root, 'bin'), join(folder, 'bin'))
    symlinkSync(join(root, 'examples'), join(folder, 'examples'))
    symlinkSync(fleet.data, join(folder, '.skein'))
  }, 60_000)
  afterAll(async () => {
    if (folder) rmSync(folder, { recursive: true, force: true })
    await fleet?.close()
  })

  /** Runs the commands of one step, with the ports of this installation. */
  const step = async (after: string) => {
    const readme = textOf('README.md')
    const at = readme.indexOf(after)
    expect(at, after).toBeGreaterThanOrEqual(0)
    const script = /```sh\n([\s\S]*?)```/.exec(readme.slice(at))?.[1] ?? ''
    const own = script
      .replace('-p 1883', `-p ${new URL(fleet.endpoints.mqtt).port}`)
      .replaceAll('http://127.0.0.1:8080', fleet.endpoints.http)
      // One device of several is to be named.
      .replaceAll(/skein local (\w+)/g, 'skein local $1 --device local-1')
    return collect('/bin/bash', ['-c', `cd '${folder}'\n${own}`], plainEnv(), { timeoutMs: 60_000 })
  }

  test('run passes output and status on', async () => {
    const { code, stdout, stderr } = await step('**Run something.**')
    expect({ code, stderr }).toEqual({ code: 3, stderr: '' })
    expect(stdout).toMatch(/^hello\nLinux /)
  })

  test('mosquitto_pub and curl submit', async () => {
    expect(await step('**Submit by MQTT.**')).toMatchObject({ code: 0, stdout: '', stderr: '' })
    const rest = await step('**Submit by REST.**')
    expect(rest).toMatchObject({ code: 0, stderr: '' })
    const tasks = await fleet.answered('GET', '/tasks?limit=2')
    const [second, first] = tasks.body.tasks
    expect([first.idempotency_key, second.idempotency_key]).toEqual(['hello-1', 'hello-2'])
    expect((await fleet.ended(first.task_id)).state).toBe('succeeded')
    expect((await fleet.ended(second.task_id)).state).toBe('succeeded')
  })

  test('tasks are listed, followed, shown, cancelled and waited for', async () => {
    const look = await step('**Look at tasks.**')
    expect(look).toMatchObject({ code: 0, stderr: '' })
    expect(look.stdout).toContain('\nline 1\nline 2\nline 3\n')
    expect(look.stdout).toMatch(/^state +succeeded$/m)
    const cancel = await step('**Cancel.**')
    expect(cancel.code).toBe(1)
    expect(cancel.stdout).toMatch(/ cancelled/)
  })

  test('devices tell of themselves, and a file is submitted', async () => {
    const devices = await step('**Look at devices.**')
    expect(devices).toMatchObject({ code: 0, stderr: '' })
    expect(devices.stdout).toMatch(/^local-3 +online/m)
    expect(devices.stdout).toMatch(/^connected +true$/m)
    expect(devices.stdout).toMatch(/^fleet +default$/m)
    expect(await step('**Submit a file**')).toMatchObject({ code: 0, stderr: '' })
  })

  test('a workload is applied, looked at, entered and deleted', async () => {
    const { code, stdout, stderr } = await step('**Keep services running')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^ticker +(starting|running) +\S+ +forever/m)
    expect(stdout).toMatch(/^ticker in .*examples\/workloads$/m)
    expect(stdout).toMatch(/^deleted: ticker$/m)
  })

  test('nothing is lost when parts are killed', async () => {
    const { code, stdout, stderr } = await step('Now kill what you like')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(Array.from({ length: 20 }, (_, i) => `line ${i + 1}\n`).join(''))
    expect(stdout).toMatch(/^state +succeeded$/m)
    // Not by a second attempt.
    expect(stdout).not.toMatch(/^[0-9a-z]+-2 /m)
  })
})
