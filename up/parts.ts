import { join } from 'node:path'
import type { PartMessage } from '../base/parent.ts'
import { pathsIn } from '../base/paths.ts'
import { plainBindOf } from '../base/plain-bind.ts'
import { type Config, envNameOf, type Part, settingKeys, settingsOf } from '../base/settings.ts'
import type { Ports } from './ports.ts'

/** One process below `skein up`. */
export interface PartPlan {
  name: string
  part: Exclude<Part, 'up'>
  env: Record<string, string>
  /** Parts start from the highest rank to the lowest, each rank when those above it answer, and end the other way round. */
  rank: number
  /** How long it may take to end before it is killed. */
  graceMs: number
}

export interface Addresses {
  mqtt: string
  ws: string
  mqtts?: string
  http: string
  api: string
}

/** Which processes make up this installation. */
export const planParts = (config: Config<'up'>, ports: Ports): PartPlan[] => {
  const paths = pathsIn(config.data)
  const { mqtt } = addressesOf(config, ports)
  const servers: PartPlan[] = config.apart
    ? [
        {
          name: 'broker',
          part: 'broker',
          env: envOf('broker', config, ports, { SKEIN_TOKEN_KEY: paths.tokenKeyPublic }),
          rank: 2,
          graceMs: 10_000,
        },
        {
          name: 'controller',
          part: 'controller',
          env: envOf('controller', config, ports, { SKEIN_URL: mqtt, SKEIN_TOKEN_FILE: paths.controllerToken }),
          rank: 1,
          graceMs: 10_000,
        },
        {
          name: 'dashboard',
          part: 'dashboard',
          env: envOf('dashboard', config, ports, { SKEIN_API_URL: addressesOf(config, ports).api }),
          rank: 0,
          graceMs: 5000,
        },
      ]
    : [{ name: 'hub', part: 'hub', env: envOf('hub', config, ports), rank: 1, graceMs: 10_000 }]
  const devices = deviceNames(config.devices).map(
    (name): PartPlan => ({
      name: `device ${name}`,
      part: 'device',
      env: envOf('device', config, ports, { SKEIN_NAME: name, SKEIN_URL: mqtt, SKEIN_TOKEN_FILE: paths.device(name).token }),
      rank: 0,
      graceMs: 30_000,
    }),
  )
  return [...servers, ...devices]
}

/** One device is `local`, several are `local-1` to `local-n`. */
export const deviceNames = (count: number): string[] =>
  count === 1 ? ['local'] : Array.from({ length: count }, (_, i) => `local-${i + 1}`)

/** Where clients on this machine find it. */
export const addressesOf = (config: Config<'up'>, ports: Ports): Addresses => {
  const hostOf = (bind: string): string =>
    bind === '0.0.0.0' || bind === '::' ? '127.0.0.1' : bind.includes(':') ? `[${bind}]` : bind
  const host = hostOf(plainBindOf(config))
  const http = `http://${host}:${ports.http_port}`
  return {
    mqtt: `mqtt://${host}:${ports.mqtt_port}`,
    ws: `ws://${host}:${ports.ws_port}`,
    ...(config.tls_cert === undefined ? {} : { mqtts: `mqtts://${hostOf(config.bind)}:${ports.tls_port}` }),
    http,
    api: config.apart ? `http://${host}:${ports.api_port}` : http,
  }
}

/** The addresses as the parts themselves have said them, as far as they did. */
export const saidAddresses = (expected: Addresses, said: Iterable<PartMessage>): Addresses => {
  let addresses = expected
  for (const { mqtt, ws, mqtts, http, api } of said) {
    const known = Object.entries({ mqtt, ws, mqtts, http, api }).filter(([, url]) => url !== undefined)
    addresses = { ...addresses, ...Object.fromEntries(known) }
  }
  return addresses
}

/** The environment of a part: what this process knows of its settings, and of ours nothing else. */
const envOf = (part: Part, config: Config<'up'>, ports: Ports, own: Record<string, string> = {}): Record<string, string> => {
  const known: Record<string, unknown> = { ...config, ...ports }
  const env: Record<string, string> = {}
  for (const key of settingsOf(part)) {
    const text = textOf(known[key])
    if (text !== '') env[envNameOf(key)] = text
  }
  return { ...env, ...own }
}

const textOf = (value: unknown): string =>
  typeof value === 'object' && value !== null
    ? Object.entries(value)
        .map(([key, one]) => `${key}=${String(one)}`)
        .join(',')
    : value === undefined
      ? ''
      : String(value)

/** An environment without the settings that `skein up` was given itself: its parts get theirs from it alone. */
export const withoutSettings = (env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> => {
  const names = new Set(settingKeys.map(envNameOf))
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.has(name)))
}

export const bundleOf = (dist: string, plan: PartPlan): string => join(dist, `${plan.part}.js`)
