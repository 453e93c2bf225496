import { existsSync, readFileSync } from 'node:fs'
import { configExitCode, readConfig } from '../base/config.ts'
import { pathsIn } from '../base/paths.ts'
import { claimsIn } from '../base/token-claims.ts'
import { nameOfHost } from './host-name.ts'
import { JoinFailure, joinFleet } from './joining.ts'
import { readMembership } from './membership.ts'

const help = `Usage: skein device join --url <broker> --token <join token> [flags]

Makes this machine a device of a fleet. The token comes from: skein token create --role join

  --url URL          the broker, as in mqtts://host:8883 (SKEIN_URL)
  --token TOKEN      the join token (SKEIN_TOKEN); or --token-file FILE
  --name NAME        the device's name (SKEIN_NAME, default: that of the machine)
  --data DIR         its data folder (SKEIN_DATA, default /var/lib/skein)
  --tls-ca FILE      the certificate authority of the broker, if neither the system nor the token knows it (SKEIN_TLS_CA)
  --json             print one JSON document
  --help             this text

Afterwards "skein device" with the same data folder runs it; it needs no other flags.
`
/** Exit codes of the CLI: wrong usage, refused, not reachable. */
const exitOf = (code: string): number => (code === 'unreachable' || code === 'unavailable' ? 4 : code === 'usage' ? 2 : 3)

/** The verb `device join`. */
export const runJoin = async (): Promise<void> => {
  const argv = process.argv.slice(2)
  const isJson = argv.includes('--json')
  if (argv.includes('--help') || argv.includes('-h')) return void process.stdout.write(help)
  const tell = (code: string, message: string): void => {
    if (isJson) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`)
    else process.stderr.write(`skein: ${message}\n`)
    process.exitCode = exitOf(code)
  }
  const read = readConfig('device', { argv: argv.filter((one) => one !== '--json'), env: process.env })
  if (read.kind === 'help') return void process.stdout.write(help)
  if (read.kind === 'wrong') {
    for (const { key, message } of read.problems) process.stderr.write(`skein device join: ${key}: ${message}\n`)
    process.exitCode = configExitCode
    return
  }
  const { config } = read
  try {
    const paths = pathsIn(config.data)
    const known = readMembership(paths.membership)
    const name = config.name ?? known?.device ?? nameOfHost()
    const file = config.token_file ?? config.join_token_file
    const token = config.token ?? config.join_token ?? (file === undefined ? undefined : readFileSync(file, 'utf8').trim())
    if (config.url === undefined) return tell('usage', 'no broker: give --url, as in mqtts://host:8883')
    if (token === undefined) return tell('usage', 'no join token: give --token; "skein token create --role join" makes one')
    // The same token again is no other wish; a new one is, and whether it may is for the controller to say.
    const isThere = known?.device === name && known.joined_with === claimsIn(token).jti && existsSync(paths.device(name).token)
    const ca = config.tls_ca === undefined ? undefined : readFileSync(config.tls_ca, 'utf8')
    const joined = isThere ? known : await joinFleet({ url: config.url, token, name, paths, ca, timeoutMs: 15_000 })
    const daemon = `skein device --data ${config.data}`
    if (isJson) process.stdout.write(`${JSON.stringify({ ...joined, data: config.data, already: isThere })}\n`)
    else if (isThere)
      process.stdout.write(`This machine has joined fleet ${joined.fleet} already, as ${joined.device}. Run it with: ${daemon}\n`)
    else process.stdout.write(`Joined fleet ${joined.fleet} as ${joined.device}. Run it with: ${daemon}\n`)
  } catch (error) {
    if (error instanceof JoinFailure) return tell(error.code, `cannot join: ${error.message}`)
    tell('internal', error instanceof Error ? error.message : String(error))
  }
}
