import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'
import { canMount, mountSmallDisk, type SmallDisk } from '../harness/small-disk.ts'

let fleet: Installation | undefined
let disk: SmallDisk | undefined
afterEach(async () => {
  disk?.free()
  await fleet?.close()
  fleet = undefined
  disk = undefined
})

/** An installation of which one folder lies on a small disk. */
const startOn = async (
  folderOf: (data: string) => string,
): Promise<{ fleet: Installation; disk: SmallDisk; witness: string }> => {
  let mounted: SmallDisk | undefined
  fleet = await startInstallation({
    env: { SKEIN_CAPACITY: '4', SKEIN_HEARTBEAT_SECONDS: '5' },
    mount: (data) => {
      mounted = mountSmallDisk(folderOf(data), 12)
      return mounted
    },
  })
  if (!mounted) throw new Error('the harness has not called mount')
  disk = mounted
  await fleet.online('local')
  return { fleet, disk, witness: join(fleet.root, 'witness') }
}
const linesOf = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [])
const taskOf = (name: string, witness: string) => ({
  idempotency_key: name,
  // Each has a body of some size, so that a full disk is felt soon.
  payload: { command: ['sh', '-c', `echo ${name} >>"$1"; echo "out of ${name}"`, 'sh', witness], env: { PAD: 'x'.repeat(3000) } },
})

describe.skipIf(!canMount())('a full disk, then room', () => {
  test('of the hub: what it cannot store it does not accept; then all goes on by itself, and nothing accepted is lost', async () => {
    const { fleet, disk, witness } = await startOn((data) => join(data, 'controller'))
    const accepted = new Map<string, string>()
    const offer = async (name: string): Promise<number> => {
      const { status, body } = await fleet.api('POST', '/tasks', taskOf(name, witness))
      if (status === 201) accepted.set(name, body.task_id)
      else expect([name, status, body.error]).toMatchObject([name, 503, { code: 'unavailable', retryable: true }])
      return status
    }
    for (let i = 0; i < 20; i++) await offer(`before-${i}`)
    disk.fill()
    let refusals = 0
    for (let i = 0; refusals < 10; i++) {
      expect(i, 'it is refused at some time').toBeLessThan(3000)
      if ((await offer(`full-${i}`)) === 503) refusals++
    }
    // What runs meanwhile cannot be stored either, and stays on the device.
    await new Promise((resolve) => setTimeout(resolve, 12_000))
    const client = await fleet.mqtt()
    const published = client.publishAsync(
      'skein/v1/default/request/admin/task/submit',
      JSON.stringify(taskOf('unheard', witness)),
      {
        qos: 1,
      },
    )
    const said = await Promise.race([
      published.then(() => 'acknowledged'),
      new Promise((resolve) => setTimeout(() => resolve('not'), 2000)),
    ])
    expect(said).toBe('not')
    published.catch(() => undefined) // its connection ends with the test

    expect(fleet.log()).toContain('cannot commit')
    disk.free()
    const freedAt = performance.now()
    await eventually('tasks are accepted again', async () => (await offer('after')) === 201, 15_000)
    for (const [name, id] of accepted) {
      const left = Math.max(1000, 15_000 - (performance.now() - freedAt))
      const ended = await fleet.ended(id, left)
      expect(ended.state, `${name} ${JSON.stringify(ended['reason'])}`).toBe('succeeded')
    }
    await client.endAsync(true)
    for (const name of accepted.keys()) expect(linesOf(witness).filter((line) => line === name).length, name).toBe(1)
    expect(new Set(linesOf(witness)).size).toBe(linesOf(witness).length)
    expect((await fleet.output(accepted.get('after') ?? '')).o.toString()).toBe('out of after\n')
  })

  test('of a device: it takes nothing that it cannot write down; then all goes on by itself, each task once', async () => {
    const { fleet, disk, witness } = await startOn((data) => join(data, 'devices', 'local'))
    const ids = new Map<string, string>()
    const submit = async (name: string): Promise<void> => void ids.set(name, await fleet.submit(taskOf(name, witness)))
    for (let i = 0; i < 20; i++) await submit(`before-${i}`)
    for (const id of ids.values()) await fleet.ended(id)
    disk.fill()
    for (let i = 0; i < 60; i++) await submit(`full-${i}`)
    await new Promise((resolve) => setTimeout(resolve, 12_000))
    expect(fleet.log()).toContain('cannot write the journal')
    disk.free()
    const freedAt = performance.now()
    await submit('after')
    for (const [name, id] of ids) {
      const left = Math.max(1000, 15_000 - (performance.now() - freedAt))
      const ended = await fleet.ended(id, left)
      expect(ended.state, `${name} ${JSON.stringify(ended['reason'])}`).toBe('succeeded')
    }
    for (const name of ids.keys()) expect(linesOf(witness).filter((line) => line === name).length, name).toBe(1)
  })
})
