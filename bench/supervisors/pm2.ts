import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { peerPackage } from '../peers.ts'
import type { Supervise } from './supervisor.ts'
import { countLines } from './text-log.ts'

/** pm2 by an ecosystem file, with nothing between a service and its next start. */
export const superviseWithPm2: Supervise = async (world, services) => {
  const pm2 = join(peerPackage('pm2', '^6'), 'bin', 'pm2')
  const home = world.temp('pm2')
  const env = { ...process.env, PM2_HOME: home }
  const say = (...args: string[]): void => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [pm2, ...args], { env, encoding: 'utf8', timeout: 120_000 })
    if (status !== 0) throw new Error(`pm2 ${args[0]} failed:\n${stdout}${stderr}`)
  }
  let hasEnded = false
  const end = async (): Promise<void> => {
    if (!hasEnded) say('kill')
    hasEnded = true
  }
  world.own(end)
  const apps = services.map(({ name, command: [script, ...args] }) => ({
    ...{ name, script, args, interpreter: 'none', exec_mode: 'fork', cwd: home },
    ...{ restart_delay: 0, min_uptime: 0, max_restarts: 1_000_000 },
  }))
  const file = join(home, 'ecosystem.json')
  writeFileSync(file, JSON.stringify({ apps }))
  say('start', file)
  const logOf = (service: string): string => join(home, 'logs', `${service}-out.log`)
  return {
    pid: Number(readFileSync(join(home, 'pm2.pid'), 'utf8')),
    helpers: () => [],
    logsOf: (service) => [logOf(service)],
    linesOf: (service) => countLines(logOf(service)),
    end,
  }
}
