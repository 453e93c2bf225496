import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { type Clock, sleep } from '../../base/clock.ts'

/** What systemd has of a unit. */
export interface UnitState {
  activeState: string
  subState: string
  mainPid: number
  /** The main process, or the last that there was. */
  lastPid: number
  /** What the last main process exited with, or the signal that ended it. */
  mainStatus: number
  statusText: string
}

export const hasSystemd = (): boolean => existsSync('/run/systemd/system')

export const unitState = (unit: string): UnitState => {
  const keys = ['ActiveState', 'SubState', 'MainPID', 'ExecMainPID', 'ExecMainStatus', 'StatusText']
  const { stdout } = spawnSync('systemctl', ['show', `${unit}.service`, ...keys.flatMap((key) => ['-p', key])], {
    encoding: 'utf8',
  })
  const of = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(stdout ?? '')?.[1] ?? ''
  return {
    activeState: of('ActiveState') || 'inactive',
    subState: of('SubState'),
    mainPid: Number(of('MainPID')),
    lastPid: Number(of('ExecMainPID')),
    mainStatus: Number(of('ExecMainStatus')),
    statusText: of('StatusText'),
  }
}

/** Throws with what systemctl said. */
export const systemctl = (args: readonly string[]): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn('systemctl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    child.once('error', reject)
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`"systemctl ${args.join(' ')}" ended with ${code}: ${said.trim()}`)),
    )
  })

/** The last lines of a unit's journal. */
export const lastLines = (unit: string, count: number): string[] => {
  const args = ['-u', `${unit}.service`, '-n', String(count), '--no-pager', '-o', 'cat']
  const { stdout } = spawnSync('journalctl', args, { encoding: 'utf8' })
  return (stdout ?? '').split('\n').filter((line) => line !== '')
}

export interface Waiting {
  unit: string
  /** Whose daemon is waited for; a daemon says where it runs. */
  folder: string
  /** The pid of the daemon from before, dead or alive: not what it does is waited for. */
  before: number
  waitMs: number
  clock: Clock
  look: (unit: string) => UnitState
  progress: (text: string) => void
}

/** So long it has to live on after it was ready. */
const steadyMs = 2000
/** Ends that do not say that it cannot start: somebody has asked for them. */
const isUsual = (status: number): boolean => [0, 9, 15, 75].includes(status)

/** Waits until a daemon is ready and stays so. Throws with the reason why not, as soon as it is known. */
export const waitUntilReady = async ({ unit, folder, before, waitMs, clock, look, progress }: Waiting): Promise<UnitState> => {
  const until = clock.mono() + waitMs
  let steady: { pid: number; from: number } | undefined
  let told = ''
  for (;;) {
    const state = look(unit)
    const { activeState, subState, mainPid, lastPid, mainStatus, statusText } = state
    const isReady = activeState === 'active' && mainPid !== 0 && mainPid !== before && saysFolder(statusText, folder)
    steady = isReady ? (steady?.pid === mainPid ? steady : { pid: mainPid, from: clock.mono() }) : undefined
    if (steady && clock.mono() - steady.from >= steadyMs) return state
    const hasEnded = lastPid !== before && ['stop-post', 'auto-restart', 'failed', 'dead'].includes(subState)
    if (hasEnded && !isUsual(mainStatus)) throw new Error(`its daemon exits with ${mainStatus}`)
    const text = `${activeState} (${subState})${statusText === '' ? '' : `: ${statusText}`}`
    if (text !== told) progress(text)
    told = text
    if (clock.mono() > until) throw new Error(`its daemon is not ready after ${Math.round(waitMs / 1000)} s, but ${text}`)
    await sleep(clock, 200)
  }
}

/** What a daemon tells systemd when it is ready. */
export const readyText = (device: string, version: string, folder: string): string =>
  `device ${device}, Skein ${version} in ${folder}`
const saysFolder = (text: string, folder: string): boolean => text.endsWith(` in ${folder}`)
