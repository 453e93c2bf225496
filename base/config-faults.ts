import { existsSync } from 'node:fs'
import type { ConfigProblem } from './config.ts'

/** What is wrong between settings that are each right: listeners that nobody protects, half a certificate, one port for two. */
export const configFaults = (config: Readonly<Record<string, unknown>>): ConfigProblem[] => {
  const problems: ConfigProblem[] = []
  const { bind, tls_cert: cert, tls_key: key } = config
  if (typeof bind === 'string' && !isLoopback(bind) && cert === undefined && config['insecure'] === false) {
    problems.push({
      key: 'bind',
      message: `"${bind}" is not loopback: give tls_cert and tls_key, or say insecure if tokens may cross the network readable`,
    })
  }
  if (config['open'] === true && typeof bind === 'string' && !isLoopback(bind))
    problems.push({ key: 'open', message: `a broker that is open to all listens on loopback only, not on "${bind}"` })
  if (cert !== undefined && key === undefined) problems.push({ key: 'tls_key', message: 'is missing; tls_cert needs its key' })
  if (key !== undefined && cert === undefined)
    problems.push({ key: 'tls_cert', message: 'is missing; tls_key needs its certificate' })
  const { tls_ca, token_key } = config
  for (const [name, file] of Object.entries({ tls_cert: cert, tls_key: key, tls_ca, token_key })) {
    if (typeof file === 'string' && !existsSync(file)) problems.push({ key: name, message: `no such file "${file}"` })
  }
  if (config['token'] !== undefined && config['token_file'] !== undefined) {
    problems.push({ key: 'token_file', message: 'give token or token_file, not both' })
  }
  return [...problems, ...samePorts(config)]
}

export const isLoopback = (address: string): boolean =>
  address === 'localhost' || address === '::1' || /^127(\.\d{1,3}){3}$/.test(address)

/** Nobody listens on these without a certificate. */
const ofCertificate: readonly string[] = ['tls_port', 'wss_port', 'https_port', 'api_tls_port']

const samePorts = (config: Readonly<Record<string, unknown>>): ConfigProblem[] => {
  const taken = new Map<number, string>()
  const problems: ConfigProblem[] = []
  for (const key of ['mqtt_port', 'ws_port', 'tls_port', 'wss_port', 'http_port', 'https_port', 'api_port', 'api_tls_port']) {
    const port = config[key]
    if (typeof port !== 'number' || port === 0) continue
    if (ofCertificate.includes(key) && config['tls_cert'] === undefined) continue
    const other = taken.get(port)
    if (other) problems.push({ key, message: `${port} is ${other} already` })
    else taken.set(port, key)
  }
  return problems
}
