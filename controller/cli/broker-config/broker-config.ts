import { accessSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { writeFileAtomic } from '../../../base/atomic-file.ts'
import { passwordFor } from '../../../base/login.ts'
import { pathsIn } from '../../../base/paths.ts'
import { FleetName } from '../../../schemas/ids.ts'
import { openCommandKeys } from '../../identity/command-keys.ts'
import { pemOf } from '../../identity/key-files.ts'
import { issueLocalTokens } from '../../identity/local-tokens.ts'
import { openTokenKeys } from '../../identity/token-keys.ts'
import { exitCodes, usageFailure } from '../exit.ts'
import { type GlobalFlags, type Io, printJson } from '../io.ts'
import { factsOf } from '../table.ts'
import { findWhere } from '../where.ts'
import { emqx } from './emqx.ts'
import type { BrokerFile, BrokerKind, BrokerPlan } from './kind.ts'
import { mosquitto } from './mosquitto.ts'
import { nats } from './nats.ts'
import { rabbitmq } from './rabbitmq.ts'
import { findUsers } from './users.ts'

export interface BrokerConfigFlags extends GlobalFlags {
  out?: string
  listen?: string
  tokenFile?: string[]
}

const kinds: Record<string, BrokerKind> = { mosquitto, rabbitmq, nats, emqx }

/** `broker-config`: what a broker of one's own needs to know, made from the table of topics and the fleet's tokens. */
export const brokerConfig = async (io: Io, flags: BrokerConfigFlags, name: string): Promise<number> => {
  if (name === 'login') return showLogin(io, flags)
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
  if (!kind)
    throw usageFailure(`There is no configuration for "${name}"; there is for ${Object.keys(kinds).join(', ')}, and "login"`)
  const plan = await planOf(io, flags, name)
  const files = kind.files(plan)
  const { start, reload, login } = kind.next(plan)
  const users = plan.users.map(({ subject, role }) => ({ subject, role }))
  if (flags.out === undefined) {
    if (flags.json) printJson(io, { kind: name, fleet: plan.fleet, login, users, files })
    else for (const file of files) io.out(`# ---- ${file.name}\n${file.text}\n`)
    return exitCodes.done
  }
  const written = writeAll(plan.folder, files)
  if (flags.json) printJson(io, { kind: name, fleet: plan.fleet, login, users, written, start, reload })
  else
    io.out(
      factsOf([
        ['fleet', plan.fleet],
        ['users', login === 'digest' ? users.map(({ subject, role }) => `${subject} (${role})`).join(', ') : 'by their tokens'],
        ['written', written.join(', ')],
        ['start', start],
        ['new users', reload],
        [
          'parts',
          login === 'digest' ? 'controller, devices and CLI: --url and --login digest' : 'controller, devices and CLI: --url',
        ],
      ]),
    )
  return exitCodes.done
}

const planOf = async (io: Io, flags: BrokerConfigFlags, name: string): Promise<BrokerPlan> => {
  const data = resolve(flags.data ?? io.env['SKEIN_DATA'] ?? '.skein')
  const fleet = FleetName.safeParse(flags.fleet ?? io.env['SKEIN_FLEET'] ?? fleetIn(data) ?? 'default')
  if (!fleet.success) throw usageFailure(`"${flags.fleet}" is no fleet name: 1 to 63 of a-z, 0-9 and -`)
  const paths = pathsIn(data)
  const keys = openTokenKeys(paths)
  const now = io.clock.now()
  // The controller's token is made here if it has not started yet: the broker starts first.
  await issueLocalTokens({
    paths,
    keys,
    fleet: fleet.data,
    ctl: openCommandKeys(paths).newest().kid,
    devices: [],
    controller: true,
    now,
  })
  return {
    fleet: fleet.data,
    users: await findUsers({ paths, keys, fleet: fleet.data, tokenFiles: flags.tokenFile ?? [], now }),
    listen: listenOf(flags.listen ?? '127.0.0.1:1883'),
    folder: flags.out === undefined ? `/etc/${name}/skein` : resolve(flags.out),
    publicKeyPem: pemOf(keys.newest().publicKey, 'spki'),
  }
}

/** `broker-config login`: what to type into another MQTT client. */
const showLogin = (io: Io, flags: GlobalFlags): number => {
  const found = findWhere({ url: 'mqtt://nowhere', ...flags, login: flags.login ?? 'digest' }, io.env)
  if (!found.ok) throw usageFailure(found.reason)
  const { subject, login, token } = found.where
  const password = passwordFor(login, token)
  if (flags.json) printJson(io, { user: subject, password })
  else
    io.out(
      factsOf([
        ['user', subject],
        ['password', password],
      ]),
    )
  return exitCodes.done
}

const writeAll = (folder: string, files: readonly BrokerFile[]): string[] => {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw usageFailure(
      `--out: nothing can be written into "${folder}": ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  const due = files.filter((file) => file.owner === 'ours' || !existsSync(join(folder, file.name)))
  for (const { name, text, owner } of due) writeFileAtomic(join(folder, name), text, owner === 'ours' ? 0o600 : 0o644)
  return due.map(({ name }) => join(folder, name))
}

const listenOf = (text: string): BrokerPlan['listen'] => {
  const found = /^(?:(?:([^\s:]+)|\[([0-9a-fA-F:]+)\]):)?(\d{1,5})$/.exec(text)
  const port = Number(found?.[3])
  if (!found || port < 1 || port > 65_535) throw usageFailure(`--listen ${text}: write an address and a port, as in 0.0.0.0:1883`)
  return { host: found[1] ?? found[2] ?? '127.0.0.1', port }
}

/** The fleet of the tokens that are there already. */
const fleetIn = (data: string): string | undefined => {
  const { adminToken } = pathsIn(data)
  if (!existsSync(adminToken)) return undefined
  const found = findWhere({ url: 'mqtt://nowhere', token: readFileSync(adminToken, 'utf8').trim() }, {})
  return found.ok ? found.where.fleet : undefined
}
