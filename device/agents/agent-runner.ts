import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { rmdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Clock } from '../../base/clock.ts'
import { usualAgent } from '../../schemas/agent.ts'
import type { RunPayload } from '../../schemas/payload.ts'
import type { AdoptOrder, RunEnd, RunHandle, Runner, RunSetup, RunWatcher, StartOrder } from '../runner.ts'
import { isLackOfRoom } from '../runners/run-folder.ts'
import { startAgentRun } from './agent-run.ts'
import { listArtifacts } from './artifacts.ts'
import type { Homes } from './homes.ts'
import type { AgentProfile } from './profile.ts'
import { createRedaction } from './redaction.ts'
import type { Secrets } from './secrets.ts'

export interface AgentRunnerDeps {
  /** Starts the processes. */
  runner: Runner
  profiles: readonly AgentProfile[]
  secrets: Secrets
  /** Where the runner has its folders. */
  runs: string
  homes: Homes
  /** Where what they leave stays. */
  artifacts: string
  clock: Clock
}

/** Runs agents beside processes: whoever starts and stops runs need not tell them apart. */
export const withAgents = <R extends Runner>(deps: AgentRunnerDeps & { runner: R }): R => {
  const { runner, clock } = deps

  const start = (order: StartOrder, watcher: RunWatcher): RunHandle => {
    const { run, payload } = order
    const name = payload.agent ?? usualAgent
    const profile = deps.profiles.find((one) => one.name === name)
    if (!profile) return refusedHandle(clock, watcher, { code: 127, reason: `agent_not_found: ${JSON.stringify(name)}` })
    const picked = deps.secrets.pick(payload.secrets ?? [])
    if (!picked.ok) return refusedHandle(clock, watcher, { code: 125, reason: `secret_not_found: ${picked.missing}` })
    const from = payload.session
    const home = from === undefined ? deps.homes.open(run) : deps.homes.openFrom(run, from)
    if (!home) return refusedHandle(clock, watcher, { code: 125, reason: `session_not_found: ${from}` })
    const artifacts = join(deps.artifacts, run)
    mkdirSync(artifacts, { recursive: true, mode: 0o700 })
    const env = { ...variablesOf(profile, payload, home.path), SKEIN_ARTIFACTS: artifacts, ...payload.env, ...picked.values }
    const words = payload.recipe === undefined ? profile.command : recipeWords(profile, payload, home.path)
    if (!words) return refusedHandle(clock, watcher, { code: 125, reason: `not_supported: agent ${name} knows no recipes` })
    const work = order.setup?.folder ?? join(deps.runs, run, 'work')
    const { cwd } = payload
    return startAgentRun({
      ...{ run, payload, profile, clock, watcher },
      cwd: cwd === undefined ? resolve(work) : resolve(work, cwd),
      redaction: createRedaction(deps.secrets.all()),
      earlier: home.session === undefined ? undefined : { session: home.session, wasInterrupted: from === undefined },
      hasSession: (session) => deps.homes.keepSession(run, session),
      start: (inner) =>
        runner.start(
          {
            ...order,
            payload: { command: words, env, ...(cwd === undefined ? {} : { cwd }) },
            // With one it is looked for all that it has started, however far that went: nothing of it outlives it.
            // What it writes is for us: it goes nowhere else.
            setup: { ...withoutOutput(order.setup), own: [home.path, artifacts] },
            hasInput: true,
          },
          inner,
        ),
      artifacts: () => listArtifacts(artifacts),
      over: () => {
        if (payload.keep_session) deps.homes.keep(run)
        else deps.homes.remove(run)
        // Where nothing was left there is nothing to keep.
        rmdir(artifacts).catch(() => undefined)
      },
    })
  }

  /** Of an earlier daemon: nobody can go on with it. */
  const adopt = (order: AdoptOrder, watcher: RunWatcher): RunHandle => {
    const handle = runner.adopt(
      { ...order, hasSetup: true },
      {
        ...watcher,
        output: (stream, bytes) => {
          // What it says to a daemon that has gone is no output.
          if (stream === 'e') watcher.output(stream, bytes)
        },
        ended: (end) => {
          watcher.ended(end.kind === 'exited' ? lost(end.code) : end)
        },
      },
    )
    handle.stop(5000)
    return handle
  }

  return {
    ...runner,
    start: (order, watcher) => {
      const { prompt, recipe } = order.payload
      if (prompt === undefined && recipe === undefined) return runner.start(order, watcher)
      try {
        return start(order, watcher)
      } catch (error) {
        // Nothing of it has begun.
        if (isLackOfRoom(error)) return laterHandle(clock, () => watcher.noRoom())
        const why = error instanceof Error ? error.message : String(error)
        return refusedHandle(clock, watcher, { code: 125, reason: `cannot_start: ${why}` })
      }
    },
    // Only what was started with a standard input has this pipe.
    adopt: (order, watcher) =>
      existsSync(join(deps.runs, order.run, 'in')) ? adopt(order, watcher) : runner.adopt(order, watcher),
  }
}

const lost = (code: number): RunEnd => ({
  kind: 'agent',
  reason: 'its daemon ended, and nobody else could go on with it',
  code,
  result: {
    ...{ agent: 'unknown', stop_reason: 'daemon_lost', text: '', turns: 0, tokens: 0, cost: null, currency: null },
    ...{ provider: null, model: null, session: null, artifacts: [] },
  },
})

const withoutOutput = ({ output: _, ...setup }: RunSetup = {}): RunSetup => setup

/** How an agent is started for a recipe; a text is put into a file of its own. */
const recipeWords = (
  { recipe: how }: AgentProfile,
  { recipe = '', params = {} }: RunPayload,
  home: string,
): string[] | undefined => {
  if (!how) return undefined
  const isText = recipe.includes('\n')
  const file = isText ? join(home, 'recipe.yaml') : recipe
  if (isText) writeFileSync(file, recipe, { mode: 0o600 })
  const filled = Object.entries(params).flatMap(([name, value]) => [how.param_flag, `${name}=${value}`])
  return [...how.command.map((word) => (word === '{recipe}' ? file : word)), ...filled]
}

/** What an agent is told by its environment. */
const variablesOf = (profile: AgentProfile, payload: RunPayload, home: string): Record<string, string> => {
  const { variables, modes } = profile
  const asks = payload.approve !== undefined && payload.approve !== 'none'
  const said: [string | undefined, string | number | undefined][] = [
    [variables.provider, payload.provider],
    [variables.model, payload.model],
    [variables.max_turns, payload.max_turns],
    [variables.mode, modes && (asks ? modes.ask : modes.free)],
    [variables.folder, home],
  ]
  return {
    ...profile.env,
    ...Object.fromEntries(
      said.flatMap(([name, value]) => (name === undefined || value === undefined ? [] : [[name, String(value)]])),
    ),
  }
}

/** The handle of a run that was not started. */
const refusedHandle = (clock: Clock, watcher: RunWatcher, end: { code: number; reason: string }): RunHandle =>
  laterHandle(clock, () => watcher.ended({ kind: 'not_started', ...end }))

const laterHandle = (clock: Clock, tell: () => void): RunHandle => {
  let isReleased = false
  clock.soon(() => {
    if (!isReleased) tell()
  })
  const nothing = (): void => {}
  return {
    ...{ stop: nothing, pause: nothing, resume: nothing, usage: () => null },
    release: () => {
      isReleased = true
    },
  }
}
