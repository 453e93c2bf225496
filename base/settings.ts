import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { DeviceName, FleetName } from '../schemas/ids.ts'
import { loginKinds } from './login.ts'

/** The programs that read a configuration. */
export const parts = ['up', 'hub', 'broker', 'controller', 'dashboard', 'device'] as const
export type Part = (typeof parts)[number]

interface Setting {
  /** What it is for, in a few words. */
  about: string
  /** The name of its value in the help; a flag that stands alone has none. */
  value?: string
  parts: readonly Part[]
  /** Reads it from text (a flag, the environment) and from YAML alike. */
  schema: z.ZodType
  /** What holds when nobody sets it. */
  usual?: (part: Part) => unknown
  /** Its value is never shown. */
  secret?: true
}

const whole = (least: number, most: number) => {
  const says = `must be a whole number from ${least} to ${most}`
  return z.preprocess(
    (value) => (typeof value === 'string' && /^-?\d+$/.test(value.trim()) ? Number(value) : value),
    z.number({ error: says }).int(says).min(least, says).max(most, says),
  )
}
const port = whole(0, 65_535)
const words: Record<string, boolean> = {
  true: true,
  yes: true,
  on: true,
  '1': true,
  false: false,
  no: false,
  off: false,
  '0': false,
}
const yesOrNo = z.preprocess(
  (value) => (typeof value === 'string' ? (words[value.toLowerCase()] ?? value) : value),
  z.boolean({ error: 'must be true or false' }),
)
const text = z.string({ error: 'must be text' }).min(1, 'must not be empty')

const labelPair = /^([A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?)=([A-Za-z0-9._-]{0,63})$/
const Labels = z
  .preprocess(
    (value) =>
      // In YAML it is a map, in a flag or variable a list.
      typeof value === 'object' && value !== null
        ? Object.entries(value).map(([key, one]) => `${key}=${String(one)}`)
        : typeof value === 'string'
          ? value.split(',').filter((one) => one.trim() !== '')
          : value,
    z.array(
      z.string().trim().regex(labelPair, 'must be key=value,key=value; keys and values are letters, digits, ".", "_", "-"'),
      {
        error: 'must be key=value,key=value',
      },
    ),
  )
  .transform((pairs): Record<string, string> => Object.fromEntries(pairs.map((one) => one.split('=', 2))))

const hostName = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/
const HostNames = z.preprocess(
  (value) =>
    typeof value === 'string'
      ? value
          .split(',')
          .map((one) => one.trim().toLowerCase())
          .filter((one) => one !== '')
      : value,
  z.array(z.string().regex(hostName, 'must be names of hosts, without scheme or port, with commas between them')),
)

const all = parts
const servers = ['up', 'hub', 'broker', 'controller', 'dashboard'] as const
const brokers = ['up', 'hub', 'broker'] as const
const clients = ['controller', 'dashboard', 'device'] as const
/** `skein up` takes the broker for all of them. */
const brokered = ['up', ...clients] as const

/**
 * Every setting of every part, once. Its key is the one in YAML; `mqtt_port` is also the flag `--mqtt-port` and the variable
 * `SKEIN_MQTT_PORT`. Help, checks and what `skein up` hands to its parts come from this table.
 */
export const settings = {
  data: {
    about: 'the data folder',
    value: 'DIR',
    parts: all,
    schema: text,
    usual: (part) => (part === 'up' ? './.skein' : '/var/lib/skein'),
  },
  fleet: { about: "the fleet's name", value: 'NAME', parts: all, schema: FleetName, usual: () => 'default' },
  bind: { about: 'the address to listen on', value: 'ADDRESS', parts: servers, schema: text, usual: () => '127.0.0.1' },
  mqtt_port: { about: 'the port of MQTT; 0 picks a free one', value: 'PORT', parts: brokers, schema: port, usual: () => 1883 },
  ws_port: { about: 'the port of MQTT over WebSocket', value: 'PORT', parts: brokers, schema: port, usual: () => 8083 },
  tls_port: {
    about: 'the port of MQTT over TLS, when there is a certificate',
    value: 'PORT',
    parts: brokers,
    schema: port,
    usual: () => 8883,
  },
  wss_port: {
    about: 'the port of MQTT over WebSocket and TLS, when there is a certificate',
    value: 'PORT',
    parts: brokers,
    schema: port,
    usual: () => 8084,
  },
  tls_cert: { about: 'a certificate (PEM)', value: 'FILE', parts: servers, schema: text },
  tls_key: { about: 'its key (PEM)', value: 'FILE', parts: servers, schema: text },
  insecure: {
    about: 'listen on other than loopback without a certificate',
    parts: servers,
    schema: yesOrNo,
    usual: () => false,
  },
  http_port: {
    about: 'the port of REST and pages',
    value: 'PORT',
    parts: ['up', 'hub', 'dashboard'],
    schema: port,
    usual: () => 8080,
  },
  https_port: {
    about: 'the port of REST and pages over TLS, when there is a certificate',
    value: 'PORT',
    parts: ['up', 'hub', 'dashboard'],
    schema: port,
    usual: () => 8443,
  },
  api_port: {
    about: 'the port of REST where the controller is apart',
    value: 'PORT',
    parts: ['up', 'controller', 'dashboard'],
    schema: port,
    usual: () => 8081,
  },
  api_tls_port: {
    about: 'the same over TLS, when there is a certificate',
    value: 'PORT',
    parts: ['up', 'controller'],
    schema: port,
    usual: () => 8444,
  },
  api_url: {
    about: 'where the controller has its REST',
    value: 'URL',
    parts: ['dashboard'],
    schema: text.regex(/^https?:\/\/[^\s/]+$/, 'must be http:// or https:// with a host and a port'),
  },
  http_hosts: {
    about: 'names under which browsers reach HTTP, beside addresses, localhost and the name of this machine',
    value: 'NAME,NAME',
    parts: ['up', 'hub', 'dashboard'],
    schema: HostNames,
    usual: () => [],
  },
  url: {
    about: 'the broker, as in mqtt://127.0.0.1:1883; up starts none of its own then',
    value: 'URL',
    parts: brokered,
    schema: text.regex(/^(mqtts?|wss?):\/\/[^\s/]+/, 'must begin with mqtt://, mqtts://, ws:// or wss:// and name a host'),
  },
  token: { about: 'the token (better: a file)', value: 'TOKEN', parts: clients, schema: text, secret: true },
  token_file: { about: 'a file that holds the token', value: 'FILE', parts: clients, schema: text },
  login: {
    about: 'how to log in at the broker: with the token, or with its digest where broker-config has made users',
    value: 'token|digest',
    parts: brokered,
    schema: z.enum(loginKinds),
    usual: () => 'token' as const,
  },
  tls_ca: {
    about: 'the certificate authority of the broker (PEM), if the system does not know it; for the dashboard that of api_url too',
    value: 'FILE',
    parts: ['up', 'hub', 'controller', 'dashboard', 'device'],
    schema: text,
  },
  join_token: {
    about: 'a join token: the device joins if it has not yet',
    value: 'TOKEN',
    parts: ['device'],
    schema: text,
    secret: true,
  },
  join_token_file: { about: 'a file that holds the join token', value: 'FILE', parts: ['device'], schema: text },
  controller_key: {
    about: "the thumbprint of the controller's key, where the token does not name it",
    value: 'THUMBPRINT',
    parts: ['device'],
    schema: text,
  },
  token_key: { about: 'the public keys that tokens are checked with (PEM)', value: 'FILE', parts: ['broker'], schema: text },
  connections: {
    about: 'how many connections the broker takes',
    value: 'N',
    parts: brokers,
    schema: whole(1, 1_000_000),
    usual: () => 20_000,
  },
  connections_per_address: {
    about: 'how many of them from one address that is not loopback',
    value: 'N',
    parts: brokers,
    schema: whole(1, 1_000_000),
    usual: () => 2000,
  },
  open: {
    about: 'no tokens: anybody may do anything; on loopback, for trials of MQTT alone',
    parts: ['broker'],
    schema: yesOrNo,
    usual: () => false,
  },
  log_level: {
    about: 'how much is logged',
    value: 'LEVEL',
    parts: all,
    schema: z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace']),
    usual: () => 'info',
  },
  metrics_open: {
    about: 'let everybody who reaches the HTTP port read /metrics, without a token',
    parts: ['up', 'hub', 'controller'],
    schema: yesOrNo,
    usual: () => false,
  },
  metrics_port: {
    about: 'a port on loopback that serves /metrics to this machine',
    value: 'PORT',
    parts: ['broker', 'device'],
    schema: port,
  },
  keep_tasks_seconds: {
    about: 'how long tasks are kept after their end',
    value: 'SECONDS',
    parts: ['up', 'hub', 'controller'],
    schema: whole(1, 4_000_000_000),
    usual: () => 2_592_000,
  },
  keep_tasks: {
    about: 'how many tasks that have ended are kept',
    value: 'N',
    parts: ['up', 'hub', 'controller'],
    schema: whole(0, 1_000_000_000),
    usual: () => 1_000_000,
  },
  keep_logs_seconds: {
    about: 'how long the output of a task is kept after its end',
    value: 'SECONDS',
    parts: ['up', 'hub', 'controller'],
    schema: whole(1, 4_000_000_000),
    usual: () => 1_209_600,
  },
  keep_logs_mb: {
    about: 'how much output is kept',
    value: 'MB',
    parts: ['up', 'hub', 'controller'],
    schema: whole(1, 100_000_000),
    usual: () => 5000,
  },
  keep_metrics_seconds: {
    about: 'how long it is kept how busy devices were',
    value: 'SECONDS',
    parts: ['up', 'hub', 'controller'],
    schema: whole(60, 4_000_000_000),
    usual: () => 172_800,
  },
  heartbeat_seconds: {
    about: 'how often devices say that they are there',
    value: 'SECONDS',
    parts: ['up', 'hub', 'controller'],
    schema: whole(1, 3600),
    usual: () => 30,
  },
  name: { about: "the device's name", value: 'NAME', parts: ['device'], schema: DeviceName },
  labels: { about: "the device's labels", value: 'K=V,K=V', parts: ['up', 'device'], schema: Labels, usual: () => ({}) },
  capacity: {
    about: 'how many runs a device takes at a time',
    value: 'N',
    parts: ['up', 'device'],
    schema: whole(1, 10_000),
    usual: () => availableParallelism(),
  },
  spool_mb: {
    about: 'what results and logs may take on a device that cannot send them',
    value: 'MB',
    parts: ['up', 'device'],
    schema: whole(1, 1_000_000),
    usual: () => 64,
  },
  log_mb: {
    about: 'what the logs of workloads may take on a device',
    value: 'MB',
    parts: ['up', 'device'],
    schema: whole(1, 1_000_000),
    usual: () => 1024,
  },
  remote_shell: {
    about: 'let admins open a shell on this device through the broker',
    parts: ['up', 'device'],
    schema: yesOrNo,
    usual: () => false,
  },
  plugins: {
    about: 'a folder with plugins: every *.mjs and *.js in it is loaded',
    value: 'DIR',
    parts: ['up', 'device'],
    schema: text,
  },
  devices: { about: 'how many devices to start', value: 'N', parts: ['up'], schema: whole(0, 100), usual: () => 1 },
  apart: { about: 'broker and controller as processes of their own', parts: ['up'], schema: yesOrNo, usual: () => false },
} as const satisfies Record<string, Setting>

export type SettingKey = keyof typeof settings
type Settings = typeof settings

type Given<K extends SettingKey> = z.output<Settings[K]['schema']> | (Settings[K] extends { usual: unknown } ? never : undefined)

/** What a part has been told: its settings by their keys. */
export type Config<P extends Part> = {
  [K in SettingKey as P extends Settings[K]['parts'][number] ? K : never]: Given<K>
}

export const settingKeys = Object.keys(settings) as SettingKey[] // Object.keys forgets the keys' type
export const isSettingKey = (key: string): key is SettingKey => Object.hasOwn(settings, key)
export const settingOf = (key: SettingKey): Setting => settings[key]
export const settingsOf = (part: Part): SettingKey[] => settingKeys.filter((key) => settingOf(key).parts.includes(part))

export const envNameOf = (key: SettingKey): string => `SKEIN_${key.toUpperCase()}`
export const flagOf = (key: SettingKey): string => `--${key.replaceAll('_', '-')}`
