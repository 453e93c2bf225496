import { rmSync } from 'node:fs'
import { expect } from 'vitest'
import { randomFrom } from '../simulation/sim-clock.ts'
import { processesWith, startModel } from './agent-programs.ts'
import { eventually } from './eventually.ts'
import { startInstallation } from './installation.ts'

/**
 * Cancels agents at random moments of their lives: while they begin, while the model speaks, while a tool runs that hides a child of it, while the model says nothing
 * at all, while they wait for an approval. Each is to end cancelled, confirmed by its device, and to leave no process.
 */
export const cancelAgents = async ({ seed, cancels, path }: { seed: number; cancels: number; path: string }): Promise<void> => {
  const random = randomFrom(seed)
  const fleet = await startInstallation({ env: { PATH: `${path}:${process.env['PATH']}`, SKEIN_CAPACITY: '8' } })
  const shell = (command: string) => ({ tool: 'shell', arguments: { command } })
  const model = await startModel(fleet.root, {
    slow: [{ say: 'one two three four five six seven eight nine ten', delay_ms: 300 }],
    stray: [shell('setsid sleep 1000 & sleep 1000')],
    many: Array.from({ length: 100 }, () => shell('sleep 0.1')),
    hang: [{ hang: true }],
  })
  try {
    await fleet.online('local')
    const prompts = ['[slow] x', '[stray] x', '[many] x', '[hang] x', '[stray] ask']
    const one = async (): Promise<void> => {
      const prompt = prompts[Math.floor(random() * prompts.length)] ?? ''
      const approve = prompt.endsWith('ask') ? { approve: 'tools' } : {}
      const payload = { prompt, provider: 'openai', model: 'gpt-4o', env: model.env, max_repeats: 1000, ...approve }
      const id = await fleet.submit({ type: 'agent', payload, target: { device: 'local' } })
      await new Promise((resolve) => setTimeout(resolve, random() * 1500))
      await fleet.cancel(id)
      const task = await fleet.ended(id, 60_000)
      expect([prompt, task.state, task.runs.map(({ state }) => state)]).toEqual([
        prompt,
        'cancelled',
        task.runs.map(() => 'cancelled'),
      ])
      await eventually(
        'its device has confirmed it',
        async () => (await fleet.task(id)).runs.every(({ confirmed }) => confirmed !== false),
        60_000,
      )
      expect(processesWith(`SKEIN_TASK=${id}`), prompt).toEqual([])
    }
    for (let done = 0; done < cancels; done += 4) await Promise.all(Array.from({ length: Math.min(4, cancels - done) }, one))
    const { body } = await fleet.answered('GET', '/approvals?state=pending')
    expect(body.approvals).toEqual([])
  } finally {
    await fleet.close()
    model.close()
    rmSync(fleet.root, { recursive: true, force: true })
  }
}
