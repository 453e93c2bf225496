import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exits } from '../../base/exit-codes.ts'
import { eventually } from '../harness/eventually.ts'
import { type Installation, plainEnv, startInstallation } from '../harness/installation.ts'
import { findProgram } from '../harness/program.ts'

const skein = fileURLToPath(new URL('../../bin/skein', import.meta.url))
const python = findProgram(['/usr/bin/python3', '/usr/local/bin/python3'], 'python3')
const notify = findProgram(['/usr/bin/systemd-notify', '/bin/systemd-notify'], 'systemd-notify')

/** What systemd is to a daemon: a socket that hears what it says. The descriptor of a barrier is closed by not being taken. */
const listener = `
import json, socket, sys
heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
heard.bind(sys.argv[1])
print('listening', flush=True)
while True: print(json.dumps(heard.recv(65536).decode()), flush=True)
`

describe.skipIf(python === undefined || notify === undefined)('a daemon below systemd', () => {
  let fleet: Installation
  let hears: ChildProcess
  let said = ''
  let socket = ''
  const daemons: ChildProcess[] = []
  const messages = (): string[] =>
    said.split('\n').flatMap((line) => (line.startsWith('"') ? String(JSON.parse(line)).split('\n') : []))
  const count = (message: string): number => messages().filter((one) => one === message).length

  beforeAll(async () => {
    fleet = await startInstallation({ devices: 0 })
    socket = join(fleet.root, 'notify')
    hears = spawn(python ?? '', ['-c', listener, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
    hears.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    await eventually('it listens', () => existsSync(socket))
    expect((await fleet.cli(['token', 'create', '--role', 'join', '--file', join(fleet.root, 'join.token')])).code).toBe(0)
  })
  afterAll(async () => {
    for (const one of daemons) one.kill('SIGKILL')
    hears?.kill()
    await fleet?.close()
  })

  const startDaemon = (): ChildProcess => {
    const { mqtt } = JSON.parse(readFileSync(fleet.paths.endpoints, 'utf8'))
    const settings = [
      '--data',
      join(fleet.paths.data, 'pi'),
      '--name',
      'pi',
      '--url',
      mqtt,
      '--join-token-file',
      join(fleet.root, 'join.token'),
    ]
    const env = { ...plainEnv(), NOTIFY_SOCKET: socket, WATCHDOG_USEC: '600000' }
    const child = spawn(process.execPath, [skein, 'device', ...settings], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr?.on('data', (chunk: Buffer) => appendFileSync(join(fleet.root, 'pi.log'), chunk))
    daemons.push(child)
    return child
  }
  const exitOf = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.once('exit', resolve))
  let daemon: ChildProcess

  test('says that it is ready, where it runs, and then again and again that it turns', async () => {
    daemon = startDaemon()
    await eventually('READY=1', () => count('READY=1') === 1)
    expect(messages()).toContain(`MAINPID=${daemon.pid}`)
    expect(messages().find((one) => one.startsWith('STATUS=device pi, Skein '))).toMatch(/ in \/.+/)
    await eventually('pings', () => count('WATCHDOG=1') >= 3)
    process.kill(daemon.pid ?? 0, 'SIGSTOP')
    await new Promise((resolve) => setTimeout(resolve, 300))
    const { length } = messages()
    await new Promise((resolve) => setTimeout(resolve, 800))
    expect(messages()).toHaveLength(length)
    process.kill(daemon.pid ?? 0, 'SIGCONT')
    await eventually('pings again', () => messages().length > length)
  })

  test('SIGHUP has it replaced: what runs goes on, and sees nothing of systemd', async () => {
    const go = join(fleet.root, 'go')
    const script = 'env; i=0; while [ ! -e "$1" ]; do i=$((i+1)); echo line $i; sleep 0.02; done; exit 5'
    const id = await fleet.submit({ payload: { command: ['sh', '-c', script, 'sh', go] }, target: { device: 'pi' } })
    await fleet.taskWhen('it runs', id, ({ runs }) => runs[0]?.state === 'running')
    const programs = (): number[] =>
      fleet.runProcesses().flatMap(({ pid, title }) => (title.startsWith('sh -c env;') ? [pid] : []))
    const running = programs()
    expect(running).toHaveLength(1)

    const exited = exitOf(daemon)
    daemon.kill('SIGHUP')
    expect(await exited).toBe(exits.replaceMe)
    expect(count('STOPPING=1')).toBe(0)
    daemon = startDaemon()
    await eventually('the next one is ready', () => count('READY=1') === 2)
    expect(programs()).toEqual(running)

    appendFileSync(go, '')
    const ended = await fleet.ended(id)
    expect([ended.state, ended.exit_code, ended.runs.length]).toEqual(['failed', 5, 1])
    const output = (await fleet.output(id)).o.toString()
    expect(output).not.toMatch(/^(NOTIFY_SOCKET|WATCHDOG_\w+)=/m)
    const lines = output.split('\n').filter((line) => line.startsWith('line '))
    expect(lines.findIndex((line, i) => line !== `line ${i + 1}`)).toBe(-1)
  })

  test('SIGTERM ends what runs, and tells of it', async () => {
    const id = await fleet.submit({ payload: { command: ['sleep', '600'] }, target: { device: 'pi' } })
    await fleet.taskWhen('it runs', id, ({ runs }) => runs[0]?.state === 'running')
    const exited = exitOf(daemon)
    daemon.kill('SIGTERM')
    expect(await exited).toBe(0)
    expect(count('STOPPING=1')).toBe(1)
    expect((await fleet.ended(id)).runs[0]?.reason).toBe('device_shutdown')
  })
})
