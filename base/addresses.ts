import { hostname } from 'node:os'

export interface Address {
  port: number
  url: string
}

/**
 * The address that a client is told of what listens here. Who listens on every address is found on loopback by clients of this machine,
 * which need no certificate; what is encrypted is for the others, and they go by the machine's name.
 */
export const addressOf = (scheme: string, bind: string, port: number): Address => ({
  port,
  url: `${scheme}://${hostFor(bind, ['mqtts', 'wss', 'https'].includes(scheme))}:${port}`,
})

const hostFor = (bind: string, isSecured: boolean): string => {
  if (bind === '0.0.0.0' || bind === '::') {
    if (isSecured) return hostname()
    return bind === '::' ? '[::1]' : '127.0.0.1'
  }
  return bind.includes(':') ? `[${bind}]` : bind
}
