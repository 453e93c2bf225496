import { isAbsolute, relative } from 'node:path'
import { pathsIn } from '../base/paths.ts'
import { topicOf } from '../schemas/topics.ts'
import type { Addresses } from './parts.ts'

interface Facts {
  version: string
  fleet: string
  data: string
  /** The folder the user is in: paths are shown from there. */
  cwd: string
  addresses: Addresses
  devices: readonly string[]
  /** A link that signs its first visitor in, where a person is there to follow it. */
  link?: string | undefined
}

/** What `skein up` prints when all parts answer: where everything is, and a ready-made line for each way in. */
export const summaryOf = ({ version, fleet, data, cwd, addresses, devices, link }: Facts): string => {
  const paths = pathsIn(shortest(data, cwd))
  const token = `"$(cat ${quoted(paths.adminToken)})"`
  const submit = topicOf(fleet, 'request', { client: 'admin', operation: 'task/submit' })
  const task = JSON.stringify({ idempotency_key: 'hello-1', payload: { command: ['echo', 'hello from mqtt'] } })
  const mqtt = new URL(addresses.mqtt)
  const cli = paths.data === '.skein' ? 'bin/skein' : `bin/skein --data ${quoted(paths.data)}`
  return [
    `Skein ${version} is ready: fleet "${fleet}", ${counted(devices.length, 'device')}${devices.length > 0 ? ` (${devices.join(', ')})` : ''}`,
    '',
    `  dashboard        ${link ?? `${addresses.http}/`}    ${link ? 'signs you in, once' : 'sign in with the token'}`,
    ...(addresses.https ? [`  dashboard, TLS   ${addresses.https}/`] : []),
    `  MQTT             ${addresses.mqtt}${addresses.ws ? '    any user name, the token as password' : ''}`,
    ...(addresses.ws ? [`  MQTT, WebSocket  ${addresses.ws}`] : []),
    ...(addresses.mqtts ? [`  MQTT, TLS        ${addresses.mqtts}`] : []),
    `  REST             ${addresses.http}/api/v1`,
    ...(addresses.https ? [`  REST, TLS        ${addresses.https}/api/v1`] : []),
    `  token            ${paths.adminToken}`,
    '',
    'Try it from another terminal:',
    '',
    `  ${cli} run -- sh -c 'echo hello; uname -a'`,
    '',
    // At a broker of somebody else it takes what only they know.
    ...(addresses.ws
      ? [
          `  mosquitto_pub -h ${mqtt.hostname.replace(/^\[|\]$/g, '')} -p ${mqtt.port} -u me -P ${token} -q 1 \\`,
          `    -t ${submit} \\`,
          `    -m '${task}'`,
          '',
        ]
      : []),
    `  curl -H ${`"authorization: Bearer $(cat ${quoted(paths.adminToken)})"`} ${addresses.http}/api/v1/tasks`,
    '',
    'Ctrl-C ends all of it.',
    '',
  ].join('\n')
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/** The way to a folder that is shorter to type. */
const shortest = (path: string, cwd: string): string => {
  const near = relative(cwd, path)
  return near !== '' && near.length < path.length && !isAbsolute(near) ? near : path
}

const quoted = (text: string): string => (/^[A-Za-z0-9_./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)
