import { spawn } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { systemClock } from '../base/clock.ts'
import { configExitCode, readConfig } from '../base/config.ts'
import { holdFolder } from '../base/hold.ts'
import { startLog } from '../base/log.ts'
import { pathsIn } from '../base/paths.ts'
import type { Config } from '../base/settings.ts'
import { version } from '../base/version.ts'
import { openTokenKey } from '../controller/identity/keys.ts'
import { issueLocalTokens } from '../controller/identity/local-tokens.ts'
import { addressesOf, bundleOf, deviceNames, planParts, saidAddresses, withoutSettings } from './parts.ts'
import { pickPorts } from './ports.ts'
import { summaryOf } from './summary.ts'
import { startSupervisor } from './supervisor.ts'

process.title = 'skein up'

/** The root of `skein up`: everything on one machine, kept running. */
const main = async (config: Config<'up'>): Promise<number> => {
  const paths = pathsIn(config.data)
  try {
    for (const folder of [config.data, paths.keys, paths.controller, paths.devices])
      mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    console.error(
      `skein up: data: "${config.data}" cannot be used as a folder: ${error instanceof Error ? error.message : error}`,
    )
    return configExitCode
  }
  const hold = holdFolder(config.data, 'up', process.pid)
  if (!hold.ok) {
    const holder = hold.pid === undefined ? 'another "skein up"' : `"skein up" with pid ${hold.pid}`
    console.error(`skein: the data folder ${config.data} is in use by ${holder}; stop it, or choose another folder with --data`)
    return 1
  }
  // Left behind by one that was killed: nobody answers there until all parts do.
  rmSync(paths.endpoints, { force: true })

  // Before any part starts: the broker checks tokens with this key, devices and people come with these tokens.
  await issueLocalTokens({
    paths,
    key: await openTokenKey(paths),
    fleet: config.fleet,
    devices: deviceNames(config.devices),
    now: Date.now(),
  })

  const log = startLog('up', config.log_level)
  const ports = await pickPorts(config, config.bind, paths.ports)
  const dist = dirname(fileURLToPath(import.meta.url))
  const inherited = withoutSettings(process.env)
  const supervisor = startSupervisor({
    plans: planParts(config, ports),
    clock: systemClock,
    log,
    spawn: (plan) =>
      spawn(process.execPath, ['--no-deprecation', bundleOf(dist, plan)], {
        env: { ...inherited, ...plan.env },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        // A session of its own: Ctrl-C in the terminal reaches `up` alone, which ends the parts in order.
        detached: true,
      }),
  })

  const asked = new Promise<void>((resolve) => {
    let times = 0
    const onSignal = (): void => {
      times++
      if (times === 1) resolve()
      else supervisor.hurry()
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })

  const said = await Promise.race([supervisor.ready, asked])
  if (said) {
    const addresses = saidAddresses(addressesOf(config, ports), said.values())
    const { mqtt, ws, http, api } = addresses
    writeFileAtomic(paths.endpoints, `${JSON.stringify({ fleet: config.fleet, mqtt, ws, http, api, pid: process.pid })}\n`)
    const devices = deviceNames(config.devices)
    console.log(summaryOf({ version, fleet: config.fleet, data: config.data, cwd: process.cwd(), addresses, devices }))
    await asked
  }

  rmSync(paths.endpoints, { force: true })
  await supervisor.close()
  await hold.close()
  return 0
}

// Whoever read the output has gone; the parts go on.
process.stdout.on('error', () => undefined)

const read = readConfig('up', { argv: process.argv.slice(2), env: process.env })
switch (read.kind) {
  case 'help':
    process.stdout.write(read.text)
    break
  case 'wrong':
    for (const { key, message } of read.problems) console.error(`skein up: ${key}: ${message}`)
    process.exitCode = configExitCode
    break
  case 'config':
    process.exit(await main({ ...read.config, data: resolve(read.config.data) }))
}
