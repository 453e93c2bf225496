import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Missing } from './part.ts'
import { cpuSeconds } from './statistics.ts'
import type { Supervise } from './supervisors/supervisor.ts'
import { pause, until } from './until.ts'
import type { World } from './world.ts'

/** How fast what a service writes gets into its log, and what that costs. */
export interface Capture {
  perSecond: number
  /** Seconds of CPU of the daemon. */
  daemonCpu: number
  /** With that of the service, which waits and is woken more or less often. */
  totalCpu: number
  /** Complete in the log. */
  lines: number
}

/** One service writes a file of lines; the time ends with the last write of whoever writes its log. */
export const captured = async (world: World, supervise: Supervise, text: string, lines: number): Promise<Capture> => {
  const signs = world.temp('signs')
  const script = join(signs, 'program.sh')
  writeFileSync(script, programOf(text, signs))
  const one = await supervise(world, [{ name: 'writer', command: ['/bin/sh', script] }])
  await until('a program that waits', () => existsSync(join(signs, 'waits')))
  // Whatever the start has left to do is not what is measured.
  await pause(1500)
  const service = Number(readFileSync(join(signs, 'waits'), 'utf8'))
  const before = { daemon: cpuSeconds(one.pid), service: cpuOfChildren(service) }
  writeFileSync(join(signs, 'go'), '')
  await until('a program that has written all', () => existsSync(join(signs, 'done')))
  const bytes = statSync(text).size
  // Its pipe is empty, or it has none: by then something of it is there.
  await pause(300)
  if (one.logsOf('writer').every((file) => sizeOf(file) === 0)) {
    await one.end()
    throw new Missing('what a service writes gets into no file: this build has no `output: file`')
  }
  const sizes = (): number => one.logsOf('writer').reduce((sum, file) => sum + sizeOf(file), 0)
  await until('all of it in the log', () => sizes() >= bytes)
  await pause(300)
  const daemonCpu = cpuSeconds(one.pid) - before.daemon
  const totalCpu = daemonCpu + cpuOfChildren(service) - before.service
  const from = Number(readFileSync(join(signs, 'from'), 'utf8')) / 1e6
  const to = Math.max(...one.logsOf('writer').map((file) => statSync(file).mtimeMs))
  const found = await one.linesOf('writer')
  if (found !== lines) throw new Error(`${found} of ${lines} lines are in the log`)
  await one.end()
  return { perSecond: (lines / (to - from)) * 1000, daemonCpu, totalCpu, lines: found }
}

/** Waits for a sign, notes the time, and writes everything. */
const programOf = (
  text: string,
  signs: string,
): string => `echo $$ >"${signs}/waits.new"; mv "${signs}/waits.new" "${signs}/waits"
while [ ! -e "${signs}/go" ]; do sleep 0.05; done
date +%s%N >"${signs}/from"; cat "${text}"; : >"${signs}/done"; exec sleep 1000`

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0

/** Seconds of CPU of the children of a process that have ended. */
const cpuOfChildren = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[13]) + Number(fields[14])) / 100
}
