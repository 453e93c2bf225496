import { join } from 'node:path'
import { addressOf } from '../base/addresses.ts'
import type { Login } from '../base/login.ts'
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
  ws?: string
  mqtts?: string
  wss?: string
  http: string
  https?: string
  api: string
}

/** Which processes make up this installation. */
export const planParts = (config: Config<'up'>, ports: Ports): PartPlan[] => {
  const paths = pathsIn(config.data)
  const { mqtt, api } = addressesOf(config, ports)
  // The embedded broker reads tokens, whatever may be set for another one.
  const broker = { SKEIN_URL: mqtt, SKEIN_LOGIN: loginOf(config) }
  const embedded: PartPlan = {
    name: 'broker',
    part: 'broker',
    env: envOf('broker', config, ports, { SKEIN_TOKEN_KEY: paths.tokenKeyPublic }),
    rank: 2,
    graceMs: 10_000,
  }
  const apart: PartPlan[] = [
    ...(config.url === undefined ? [embedded] : []),
    {
      name: 'controller',
      part: 'controller',
      env: envOf('controller', config, ports, { ...broker, SKEIN_TOKEN_FILE: paths.controllerToken }),
      rank: 1,
      graceMs: 10_000,
    },
    {
      name: 'dashboard',
      part: 'dashboard',
      env: envOf('dashboard', config, ports, { ...broker, SKEIN_API_URL: api, SKEIN_TOKEN_FILE: paths.dashboardToken }),
      rank: 0,
      graceMs: 5000,
    },
  ]
  const hub: PartPlan = { name: 'hub', part: 'hub', env: envOf('hub', config, ports), rank: 1, graceMs: 10_000 }
  const devices = deviceNames(config.devices).map(
    (name): PartPlan => ({
      name: `device ${name}`,
      part: 'device',
      env: envOf('device', config, ports, { ...broker, SKEIN_NAME: name, SKEIN_TOKEN_FILE: paths.device(name).token }),
      rank: 0,
      graceMs: 30_000,
    }),
  )
  return [...(isApart(config) ? apart : [hub]), ...devices]
}

/** With a broker of somebody else there is none that the controller could share a process with. */
const isApart = ({ apart, url }: Config<'up'>): boolean => apart || url !== undefined

/** How the parts log in at their broker. */
export const loginOf = ({ url, login }: Config<'up'>): Login => (url === undefined ? 'token' : login)

/** One device is `local`, several are `local-1` to `local-n`. */
export const deviceNames = (count: number): string[] =>
  count === 1 ? ['local'] : Array.from({ length: count }, (_, i) => `local-${i + 1}`)

/** Where clients on this machine find it. */
export const addressesOf = (config: Config<'up'>, ports: Ports): Addresses => {
  const plain = (scheme: string, port: number): string => addressOf(scheme, plainBindOf(config), port).url
  const secured = (scheme: string, port: number): string => addressOf(scheme, config.bind, port).url
  const http = plain('http', ports.http_port)
  const hasCertificate = config.tls_cert !== undefined
  return {
    ...(config.url === undefined
      ? { mqtt: plain('mqtt', ports.mqtt_port), ws: plain('ws', ports.ws_port) }
      : { mqtt: config.url }),
    http,
    api: isApart(config) ? plain('http', ports.api_port) : http,
    ...(hasCertificate && config.url === undefined
      ? { mqtts: secured('mqtts', ports.tls_port), wss: secured('wss', ports.wss_port) }
      : {}),
    ...(hasCertificate ? { https: secured('https', ports.https_port) } : {}),
  }
}

/** The addresses as the parts themselves have said them, as far as they did. */
export const saidAddresses = (expected: Addresses, said: Iterable<PartMessage>): Addresses => {
  let addresses = expected
  for (const { kind: _, ...urls } of said) {
    const known = Object.entries(urls).filter(([, url]) => url !== undefined)
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
  Array.isArray(value)
    ? value.join(',')
    : typeof value === 'object' && value !== null
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
