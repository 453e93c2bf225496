import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { collect, type Installation, plainEnv, startInstallation } from '../harness/installation.ts'

let fleet: Installation
let witness: string
beforeEach(async () => {
  fleet = await startInstallation({ devices: 2, env: { SKEIN_CAPACITY: '8' } })
  for (const device of ['local-1', 'local-2']) await fleet.online(device)
  witness = join(fleet.root, 'witness')
})
afterEach(() => fleet?.close())

/** A task that writes its name once, and then waits for a file, if one is given. */
const taskOf = (name: string, until = '', more: Record<string, unknown> = {}) => ({
  payload: {
    command: [
      'sh',
      '-c',
      'echo "$1" >>"$2"; while [ -n "$3" ] && [ ! -e "$3" ]; do sleep 0.05; done; echo "out of $1"',
      'sh',
      name,
      witness,
      until,
    ],
  },
  ...more,
})
const lines = (): string[] => (existsSync(witness) ? readFileSync(witness, 'utf8').split('\n').slice(0, -1).sort() : [])
const began = (name: string) => eventually(`${name} has begun`, () => lines().includes(name))
const stateOf = async (id: string): Promise<string> => {
  const { status, body } = await fleet.answered('GET', `/tasks/${id}`)
  return status === 404 ? 'unknown' : body.state
}

describe('skein backup and restore', () => {
  test('after a restore nothing runs twice, and no result is lost that a device can still tell', async () => {
    const go = (name: string): string => join(fleet.root, `go-${name}`)
    const done = await fleet.submit(taskOf('done'))
    await fleet.ended(done)
    const through = await fleet.submit(taskOf('through', go('through')))
    const after = await fleet.submit(taskOf('after', go('after'), { target: { device: 'local-1' } }))
    const waiting = await fleet.submit(taskOf('waiting', '', { target: { selector: 'later=yes' } }))
    const elsewhere = await fleet.submit(taskOf('elsewhere', '', { target: { device: 'not-here' } }))
    await began('through')
    await began('after')

    const file = join(fleet.root, 'backup.tar')
    const made = await fleet.cli(['backup', file, '--data', fleet.data, '--json'])
    expect(made).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(made.stdout)).toMatchObject({ tasks: 5, logs: true, format: 1 })

    // Time goes on without the copy.
    writeFileSync(go('after'), '')
    expect((await fleet.ended(after)).state).toBe('succeeded')
    const newDone = await fleet.submit(taskOf('new-done'))
    await fleet.ended(newDone)
    const newRunning = await fleet.submit(taskOf('new-running', go('new-running')))
    await began('new-running')
    const { epoch } = (await fleet.answered('GET', '/status')).body

    await fleet.endUp('SIGKILL')
    await eventually('an end of all parts', () => fleet.processes().every(({ title }) => !title.startsWith('skein ')))
    const refused = await fleet.cli(['restore', file, '--data', fleet.data])
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('--force') })
    const restored = await fleet.cli(['restore', file, '--data', fleet.data, '--force', '--json'])
    expect(restored).toMatchObject({ code: 0, stderr: '' })
    expect(existsSync(join(JSON.parse(restored.stdout).aside, 'controller', 'controller.db'))).toBe(true)

    await fleet.startAgain()
    for (const device of ['local-1', 'local-2']) await fleet.online(device)
    await eventually('the restore is settled', async () => (await stateOf(waiting)) === 'lost')
    expect((await fleet.task(waiting)).reason).toContain('restored')
    expect(await stateOf(elsewhere)).toBe('queued')
    expect(await stateOf(done)).toBe('succeeded')
    // Its device tells of it again only if the acknowledgement had not reached it before the kill.
    expect(['unknown', 'succeeded']).toContain(await stateOf(newDone))
    // The device remembers what it told the controller that was: its result is there again.
    expect((await fleet.ended(after)).state).toBe('succeeded')
    for (const name of ['through', 'new-running']) writeFileSync(go(name), '')
    expect((await fleet.ended(through)).state).toBe('succeeded')
    expect((await fleet.ended(newRunning)).runs).toMatchObject([{ state: 'succeeded' }])
    expect((await fleet.output(through)).o.toString()).toBe('out of through\n')
    const anew = await fleet.submit(taskOf('anew'))
    expect((await fleet.ended(anew)).state).toBe('succeeded')
    expect((await fleet.answered('GET', '/status')).body.epoch).toBeGreaterThan(epoch)
    expect(lines()).toEqual(['after', 'anew', 'done', 'new-done', 'new-running', 'through'])
  })

  test('a backup is a tar file for its owner alone; it is made and checked while work goes on', async () => {
    const submitting = Promise.all(Array.from({ length: 40 }, (_, i) => fleet.submit(taskOf(`t${i}`))))
    const file = join(fleet.root, 'backup.tar')
    expect(await fleet.cli(['backup', file, '--no-logs', '--data', fleet.data])).toMatchObject({ code: 0, stderr: '' })
    await submitting
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const listed = await collect('tar', ['tf', file], plainEnv())
    expect(listed.code).toBe(0)
    const names = listed.stdout.trim().split('\n')
    expect(names).toEqual(
      expect.arrayContaining(['controller/controller.db', 'keys/token-key.pem', 'admin.token', 'manifest.json']),
    )
    for (const name of names) expect(name).not.toMatch(/devices|logs\.db|\.lock|\.pid|endpoints/)
    const dry = await fleet.cli(['restore', file, '--dry-run', '--json'])
    expect(dry.code).toBe(0)
    expect(JSON.parse(dry.stdout)).toMatchObject({ logs: false, dry_run: true })

    // It comes up on another folder, too.
    const elsewhere = join(fleet.root, 'elsewhere')
    expect(await fleet.cli(['restore', file, '--data', elsewhere])).toMatchObject({ code: 0, stderr: '' })
    expect(existsSync(join(elsewhere, 'controller', 'controller.db'))).toBe(true)
  })

  test('what cannot be is refused: a folder in use, a damaged copy, a copy within the data folder', async () => {
    const file = join(fleet.root, 'backup.tar')
    expect((await fleet.cli(['backup', file, '--data', fleet.data])).code).toBe(0)
    const inUse = await fleet.cli(['restore', file, '--data', fleet.data, '--force'])
    expect(inUse).toMatchObject({ code: 3, stderr: expect.stringContaining('in use') })
    expect(await fleet.cli(['backup', join(fleet.data, 'x.tar'), '--data', fleet.data])).toMatchObject({ code: 1 })
    expect(await fleet.cli(['backup', file, '--data', join(fleet.root, 'nothing')])).toMatchObject({ code: 2 })
    mkdirSync(join(fleet.root, 'damaged'))
    const bytes = readFileSync(file)
    for (const [name, damage] of [
      ['flipped', (copy: Buffer) => copy.writeUInt8(copy.readUInt8(5000) ^ 1, 5000)],
      ['cut', undefined],
    ] as const) {
      const copy = join(fleet.root, 'damaged', name)
      copyFileSync(file, copy)
      const changed = Buffer.from(bytes)
      damage?.(changed)
      writeFileSync(copy, damage ? changed : changed.subarray(0, 100_000))
      const into = join(fleet.root, `into-${name}`)
      expect(await fleet.cli(['restore', copy, '--data', into])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/damaged|cut off/),
      })
      expect(existsSync(join(into, 'controller', 'controller.db'))).toBe(false)
    }
    expect((await fleet.ended(await fleet.submit(taskOf('still')))).state).toBe('succeeded')
  })
})
