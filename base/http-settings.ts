import type { HttpListen } from './http-doors.ts'
import { plainBindOf } from './plain-bind.ts'

/** Where HTTP is served, from the settings that every part with a door has. */
export const httpListenOf = (
  config: { bind: string; insecure: boolean; tls_cert: string | undefined; tls_key: string | undefined },
  port: number,
  tlsPort: number,
): HttpListen => {
  const { bind, tls_cert: certFile, tls_key: keyFile } = config
  const isSecured = certFile !== undefined && keyFile !== undefined
  return { bind: plainBindOf(config), port, ...(isSecured ? { tls: { bind, port: tlsPort, certFile, keyFile } } : {}) }
}
