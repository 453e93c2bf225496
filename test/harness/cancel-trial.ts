import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { eventually } from './eventually.ts'
import { type Installation, isAlive } from './installation.ts'
import { seeded } from './seeded.ts'

/**
 * Cancels tasks at random moments. Each ends either cancelled, with its processes gone and never with another result, or it had
 * ended before, and then the cancel was refused.
 */
export const runCancelTrial = async (
  installation: Installation,
  count: number,
  seed: number,
): Promise<Record<string, number>> => {
  const chance = seeded(seed)
  const tally: Record<string, number> = {}
  const plans = Array.from({ length: count }, (_, i) => ({
    witness: join(installation.root, `cancel-${seed}-${i}`),
    afterMs: chance.between(0, 700),
    pause: chance.between(0.1, 0.5).toFixed(2),
    isStubborn: chance.isLucky(0.3),
  }))

  const cancelOne = async ({ witness, afterMs, pause, isStubborn }: (typeof plans)[number]): Promise<void> => {
    // A child of its own in the same group; a stubborn one has to be killed.
    const script = `${isStubborn ? `trap '' TERM;` : ''} echo "pid $$" >>"$1"
      sh -c 'echo "pid $$" >>"$1"; sleep 0.3; sleep "$2"; echo "child ends" >>"$1"' sh "$1" "$2" &
      sleep "$2"; echo ends >>"$1"; wait`
    const id = await installation.submit({
      payload: { command: ['sh', '-c', script, 'sh', witness, pause] },
      options: { stop_grace_seconds: 0.2 },
    })
    await new Promise((resolve) => setTimeout(resolve, afterMs))
    const answer = await installation.cancel(id)
    const said = existsSync(witness)
    const task = await installation.ended(id)
    const [run] = task.runs
    const outcome = `${task.state}${answer.status === 409 ? ', too late' : said ? ', running' : ', before its start'}`
    tally[outcome] = (tally[outcome] ?? 0) + 1

    if (answer.status === 409) {
      expect([task.state, answer.body.error.code]).toEqual(['succeeded', 'conflict'])
      expect(linesOf(witness)).toContain('ends')
      return
    }
    expect(answer.status, JSON.stringify(answer.body)).toBe(200)
    expect(answer.body.cancel_requested_at).not.toBeNull()
    expect([task.state, task.runs.length <= 1, run?.state ?? 'cancelled']).toEqual(['cancelled', true, 'cancelled'])
    if (run) expect(run.confirmed).toBe(true)
    const lines = linesOf(witness)
    const pids = lines.filter((line) => line.startsWith('pid ')).map((line) => Number(line.slice(4)))
    expect(pids.filter(isAlive), `processes of task ${id} are gone; its run: ${JSON.stringify(run)}`).toEqual([])
    // Where both had come to their end it was only the word of it that came too late.
    const late = run?.late?.state ?? null
    if (lines.includes('ends') && lines.includes('child ends') && late !== null) expect(late).toBe('succeeded')
  }

  const rest = [...plans]
  const lane = async (): Promise<void> => {
    for (let plan = rest.shift(); plan !== undefined; plan = rest.shift()) await cancelOne(plan)
  }
  await Promise.all(Array.from({ length: 8 }, lane))

  await eventually('an end of all processes', () => installation.runProcesses().length === 0)
  await eventually('no folder of a run', () => installation.runFolders().length === 0)
  const before = plans.map(({ witness }) => linesOf(witness))
  // Whoever was left would have written by now: this takes longer than any of them.
  const last = await installation.submit({ payload: { command: ['sleep', '1'] } })
  await installation.ended(last)
  expect(plans.map(({ witness }) => linesOf(witness))).toEqual(before)
  const { body } = await installation.answered('GET', '/tasks?limit=1000')
  const states = new Set(body.tasks.map(({ state }: { state: string }) => state))
  expect([...states].filter((state) => state !== 'cancelled' && state !== 'succeeded')).toEqual([])
  return tally
}

const linesOf = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [])
