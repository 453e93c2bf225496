import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { eventually } from './eventually.ts'
import type { Installation } from './installation.ts'

/**
 * Kills the daemon of a device with -9 again and again while a program of its writes a line to each stream every few milliseconds. The
 * program outlives all of it as the one process that it was, and its output is in order and there once. A kill between a read and the
 * write of what was read takes that read along, and nothing else does (docs/architecture.md, "The spool"): gives these holes.
 */
export const runOutputKillTrial = async (
  installation: Installation,
  device: string,
  kills: number,
): Promise<{ holes: string[]; lines: number }> => {
  const go = join(installation.root, 'go')
  const witness = join(installation.root, 'pids')
  const script = `echo $$ >>"$2"; i=0
    while [ ! -e "$1" ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); sleep 0.004; done
    echo "of $i"; exit 5`
  const id = await installation.submit({
    payload: { command: ['sh', '-c', script, 'sh', go, witness] },
    target: { device },
  })
  let seen = 0
  const more = async (killed: number): Promise<void> => {
    // Lines of the daemon that is to be killed next: it has done its work, and is in the middle of it.
    seen = await eventually(`output after ${killed} kills`, async () => {
      const last = await lastSeqOf(installation, id, seen)
      return last > seen + 20 && last
    })
  }
  for (let killed = 0; killed < kills; killed++) {
    await more(killed)
    // Lines that trickle are read every 20 ms: the kills fall anywhere in between.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 40))
    await eventually('the daemon is killed', () => installation.kill(`device ${device}`))
  }
  await more(kills)
  writeFileSync(go, '')

  const ended = await installation.ended(id)
  expect([ended.state, ended.exit_code, ended.runs.length]).toEqual(['failed', 5, 1])
  expect(readFileSync(witness, 'utf8').split('\n').length, 'one process').toBe(2)
  const { o, e, complete } = await installation.output(id)
  expect(complete).toBe(true)
  const out = o.toString().split('\n').slice(0, -1)
  const count = Number(/^of (\d+)$/.exec(out.pop() ?? '')?.[1])
  const holes = [...holesIn(out, 'out', count), ...holesIn(e.toString().split('\n').slice(0, -1), 'err', count)]
  await eventually(
    'nothing of the run is left',
    () => installation.runProcesses().length === 0 && installation.runFolders().length === 0,
  )
  return { holes, lines: 2 * count }
}

const lastSeqOf = async (installation: Installation, id: string, from: number): Promise<number> => {
  for (let after = from; ; ) {
    const { body } = await installation.answered('GET', `/tasks/${id}/logs?limit=10000&after=${after}`)
    if (body.records.length === 0) return after
    after = body.next
  }
}

/** The runs of numbers that are missing. Throws where a line is out of order, there twice, or torn, and where more is missing than one read takes. */
const holesIn = (lines: readonly string[], word: string, count: number): string[] => {
  const holes: string[] = []
  let next = 0
  for (const line of [...lines, `${word} ${count}`]) {
    const number = Number(new RegExp(`^${word} (\\d+)$`).exec(line)?.[1])
    if (!(number >= next)) throw new Error(`"${line}" stands where ${word} ${next} or a later one belongs`)
    const hole = `${word} ${next} to ${number - 1}`
    if (number > next) holes.push(hole)
    if ((number - next) * line.length > 65_536) throw new Error(`${hole} are missing: more than one read takes`)
    next = number + 1
  }
  return holes
}
