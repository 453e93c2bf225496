import { execFile } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Log } from '../../base/log.ts'
import type { AgentProfile } from './profile.ts'

const versionWithinMs = 10_000

/** Which agents are on this machine, each with its version; looked for anew when it is asked and a program has changed. */
export const createFoundAgents = (profiles: readonly AgentProfile[], path: string, log: Log) => {
  const known = new Map<string, { stamp: string; version: string }>()

  /** The file that would be started, and what tells that it is another one. */
  const stampOf = ({ command: [program = ''] }: AgentProfile): string | undefined => {
    const places = program.includes('/') ? [program] : path.split(delimiter).map((folder) => join(folder, program))
    for (const place of places) {
      const stat = statSync(place, { throwIfNoEntry: false })
      if (!stat?.isFile() || !isExecutable(place)) continue
      return `${place} ${stat.size} ${stat.mtimeMs}`
    }
    return undefined
  }

  const versionOf = (profile: AgentProfile): Promise<string> =>
    new Promise((resolve) => {
      const [program = ''] = profile.command
      const env = { PATH: path, HOME: process.env['HOME'] ?? '/' }
      execFile(program, profile.version.args, { timeout: versionWithinMs, env }, (error, stdout, stderr) => {
        if (error) log.warn({ agent: profile.name, err: error }, 'an agent does not tell its version')
        resolve(new RegExp(profile.version.pattern).exec(`${stdout}\n${stderr}`)?.[0] ?? 'unknown')
      })
    })

  return {
    /** Looks again; says whether anything is different. */
    look: async (): Promise<boolean> => {
      let isChanged = false
      for (const profile of profiles) {
        const stamp = stampOf(profile)
        if (stamp === known.get(profile.name)?.stamp) continue
        isChanged = true
        if (stamp === undefined) known.delete(profile.name)
        else known.set(profile.name, { stamp, version: await versionOf(profile) })
      }
      return isChanged
    },
    /** As labels: `agent.goose` with its version. */
    labels: (): Record<string, string> => Object.fromEntries([...known].map(([name, { version }]) => [`agent.${name}`, version])),
  }
}
export type FoundAgents = ReturnType<typeof createFoundAgents>

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // The refusal is the answer.
    return false
  }
}
