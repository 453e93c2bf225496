import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import type { Log } from '../../base/log.ts'
import { findProgram } from '../runners/find-program.ts'
import type { AgentProfile } from './profile.ts'

const versionWithinMs = 10_000

/** Which agents are on this machine, each with its version; looked for anew when it is asked and a program has changed. */
export const createFoundAgents = (profiles: readonly AgentProfile[], path: string, log: Log) => {
  const known = new Map<string, { stamp: string; version: string }>()

  /** The file that would be started, and what tells that it is another one. */
  const fileOf = ({ command: [program = ''] }: AgentProfile): { path: string; stamp: string } | undefined => {
    const found = findProgram(program, path, process.cwd())
    if (typeof found === 'string') return undefined
    const stat = statSync(found.path, { throwIfNoEntry: false })
    return stat && { path: found.path, stamp: `${found.path} ${stat.size} ${stat.mtimeMs}` }
  }

  const versionOf = (profile: AgentProfile, file: string): Promise<string> =>
    new Promise((resolve) => {
      const env = { PATH: path, HOME: process.env['HOME'] ?? '/' }
      execFile(file, profile.version.args, { timeout: versionWithinMs, env }, (error, stdout, stderr) => {
        if (error) log.warn({ agent: profile.name, err: error }, 'an agent does not tell its version')
        resolve(new RegExp(profile.version.pattern).exec(`${stdout}\n${stderr}`)?.[0] ?? 'unknown')
      })
    })

  return {
    /** Looks again; says whether anything is different. */
    look: async (): Promise<boolean> => {
      let isChanged = false
      for (const profile of profiles) {
        const file = fileOf(profile)
        if (file?.stamp === known.get(profile.name)?.stamp) continue
        isChanged = true
        if (file === undefined) known.delete(profile.name)
        else known.set(profile.name, { stamp: file.stamp, version: await versionOf(profile, file.path) })
      }
      return isChanged
    },
    /** As labels: `agent.goose` with its version. */
    labels: (): Record<string, string> => Object.fromEntries([...known].map(([name, { version }]) => [`agent.${name}`, version])),
  }
}
export type FoundAgents = ReturnType<typeof createFoundAgents>
