import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { skeinProgram, startSkein } from './installation.ts'
import { peerPackage } from './peers.ts'
import { cpuSeconds } from './statistics.ts'
import type { World } from './world.ts'

export interface Captured {
  perSecond: number
  /** Seconds of CPU of whoever captured. */
  cpu: number
}

/** A device alone: its broker has gone, so all that a program writes stays in the spool. */
export const spooled = async (world: World, text: string, lines: number): Promise<Captured> => {
  const skein = await startSkein(world)
  const { folder, token, spool } = skein.paths.device('alone')
  mkdirSync(folder, { recursive: true })
  writeFileSync(token, await skein.tokenFor('alone', 'device'), { mode: 0o600 })
  const plain = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('SKEIN_')))
  const daemon = world.start(skeinProgram, ['device', '--name', 'alone'], {
    env: { ...plain, SKEIN_DATA: skein.data, SKEIN_URL: skein.endpoints.mqtt, SKEIN_SPOOL_MB: '2000' },
  })
  await until('a device that is ready', () => daemon.said().includes('device is ready'))
  const signs = world.temp('signs')
  await fetch(`${skein.endpoints.http}/api/v1/tasks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${skein.adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      payload: { command: ['sh', '-c', programOf(text, signs)] },
      target: { device: 'alone' },
      options: { max_output_bytes: 1e9 },
    }),
  })
  await until('a program that waits', () => existsSync(join(signs, 'waits')))
  await skein.up.end()
  const captured = await timed(signs, daemon.pid, lines)
  const expected = statSync(text).size
  await until('all of it in the spool', () => sizeBelow(spool) >= expected)
  // The program ends with its device.
  await daemon.end()
  return captured
}

/** The same program below pm2, as its guide has it: what it writes goes into a file. */
export const capturedByPm2 = async (world: World, text: string, lines: number): Promise<Captured> => {
  const pm2 = join(peerPackage('pm2', '^6'), 'bin', 'pm2')
  const home = world.temp('pm2')
  const env = { ...process.env, PM2_HOME: home }
  const signs = world.temp('signs')
  const script = join(signs, 'program.sh')
  writeFileSync(script, programOf(text, signs))
  const say = (...args: string[]): void => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [pm2, ...args], { env, encoding: 'utf8', timeout: 60_000 })
    if (status !== 0) throw new Error(`pm2 ${args[0]} failed:\n${stdout}${stderr}`)
  }
  world.own(() => say('kill'))
  say('start', script, '--interpreter', '/bin/sh', '--name', 'writer', '--no-autorestart')
  await until('a program that waits', () => existsSync(join(signs, 'waits')))
  const captured = await timed(signs, Number(readFileSync(join(home, 'pm2.pid'), 'utf8')), lines)
  const expected = statSync(text).size
  await until('all of it in the file', () => sizeBelow(join(home, 'logs')) >= expected)
  say('kill')
  return captured
}

/** Waits for a sign, writes everything, and notes both instants. */
const programOf = (text: string, signs: string): string =>
  `: >"${signs}/waits"; while [ ! -e "${signs}/go" ]; do sleep 0.05; done
date +%s%N >"${signs}/from"; cat "${text}"; date +%s%N >"${signs}/to"; : >"${signs}/done"; sleep 1`

const timed = async (signs: string, pid: number, lines: number): Promise<Captured> => {
  // Whatever the start has left to do is not what is measured.
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const before = cpuSeconds(pid)
  writeFileSync(join(signs, 'go'), '')
  await until('a program that has written all', () => existsSync(join(signs, 'done')))
  const cpu = cpuSeconds(pid) - before
  const at = (name: string): number => Number(readFileSync(join(signs, name), 'utf8')) / 1e9
  return { perSecond: lines / (at('to') - at('from')), cpu }
}

const sizeBelow = (folder: string): number =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)

const until = async (what: string, isSo: () => boolean): Promise<void> => {
  for (const from = performance.now(); !isSo(); ) {
    if (performance.now() - from > 60_000) throw new Error(`Waited a minute for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
