import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { systemClock } from '../base/clock.ts'
import { configExitCode, readConfig } from '../base/config.ts'
import { holdFolder } from '../base/hold.ts'
import { linkToDashboard } from '../base/invitation.ts'
import { startLog } from '../base/log.ts'
import { pathsIn } from '../base/paths.ts'
import type { Config } from '../base/settings.ts'
import { version } from '../base/version.ts'
import { openCommandKeys } from '../controller/identity/command-keys.ts'
import { issueLocalTokens } from '../controller/identity/local-tokens.ts'
import { openTokenKeys } from '../controller/identity/token-keys.ts'
import { addressesOf, bundleOf, deviceNames, loginOf, planParts, saidAddresses, withoutSettings } from './parts.ts'
import { pickPorts } from './ports.ts'
import { summaryOf } from './summary.ts'
import { startSupervisor } from './supervisor.ts'

/** The space of young objects grows to 4 MB, not to 16: a hub of 5,000 devices is 40 MB smaller by that, and takes 5 to 7 % fewer tasks a second. */
const smallYoung = '--max-semi-space-size=4'

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
    keys: openTokenKeys(paths),
    ctl: openCommandKeys(paths).newest().kid,
    fleet: config.fleet,
    devices: deviceNames(config.devices),
    // A broker with users of its own goes by the tokens that there are.
    renew: loginOf(config) === 'digest' ? 'late' : 'early',
    now: Date.now(),
  })

  const log = startLog('up', config.log_level)
  if (config.url !== undefined) log.info({ url: config.url, login: config.login }, 'the broker is another one, none is started')
  const ports = await pickPorts(config, config.bind, paths.ports)
  const dist = dirname(fileURLToPath(import.meta.url))
  const inherited = withoutSettings(process.env)
  const supervisor = startSupervisor({
    plans: planParts(config, ports),
    clock: systemClock,
    log,
    spawn: (plan) =>
      spawn(process.execPath, ['--no-deprecation', smallYoung, bundleOf(dist, plan)], {
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
    const { mqtt, ws, http, api, mqtts, wss, https } = addresses
    // With a certificate, or at a broker of somebody else, there is more, behind what has always been there.
    const foreign = config.url === undefined ? {} : { login: loginOf(config), tls_ca: config.tls_ca && resolve(config.tls_ca) }
    const endpoints = { fleet: config.fleet, mqtt, ws, http, api, pid: process.pid, mqtts, wss, https, ...foreign }
    writeFileAtomic(paths.endpoints, `${JSON.stringify(endpoints)}\n`)
    const devices = deviceNames(config.devices)
    console.log(
      summaryOf({
        version,
        fleet: config.fleet,
        data: config.data,
        cwd: process.cwd(),
        addresses,
        devices,
        link: process.stdout.isTTY ? await linkOf(addresses.http, paths.adminToken) : undefined,
      }),
    )
    await asked
  }

  rmSync(paths.endpoints, { force: true })
  await supervisor.close()
  await hold.close()
  return 0
}

/** Nobody needs it to begin. */
const linkOf = async (http: string, tokenFile: string): Promise<string | undefined> => {
  try {
    return (await linkToDashboard(http, readFileSync(tokenFile, 'utf8').trim())).url
  } catch {
    return undefined // the token does it as well, and `skein open` tells what is wrong
  }
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
    void main({ ...read.config, data: resolve(read.config.data) }).then((code) => process.exit(code))
}
