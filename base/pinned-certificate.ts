import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { checkServerIdentity, connect, type DetailedPeerCertificate, type PeerCertificate, type TLSSocket } from 'node:tls'

/** SHA-256 of a certificate, in hex: how one is named in a join token. */
export const certificateHash = (der: Uint8Array): string => createHash('sha256').update(der).digest('hex')

/** The certificate of a PEM file that joining devices are to trust: the last one of its chain, nearest to the root. */
export const trustedHashOf = (pem: string): string | undefined => {
  const last = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)?.at(-1)
  return last === undefined ? undefined : certificateHash(new X509Certificate(last).raw)
}

/** The hash that join tokens carry: of the authority that was named, or else of what the broker shows. */
export const certificateHashOf = (config: { tls_ca?: string | undefined; tls_cert?: string | undefined }): string | undefined => {
  const file = config.tls_ca ?? config.tls_cert
  return file === undefined ? undefined : trustedHashOf(readFileSync(file, 'utf8'))
}

const withinMs = 10_000

/**
 * Asks a server for its chain, says nothing else to it, and gives that certificate of the chain, as PEM, whose hash is known from
 * elsewhere. Undefined if the system trusts the server anyway; an Error if neither is so.
 */
export const fetchPinned = (url: string, hash: string | undefined): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    const { hostname, port, protocol } = new URL(url)
    const host = hostname.replace(/^\[|\]$/g, '')
    // What is not trusted yet is looked at, and only then used, by another connection that is verified with it.
    const socket: TLSSocket = connect({
      host,
      port: Number(port || (protocol === 'wss:' ? 443 : 8883)),
      rejectUnauthorized: false,
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    })
    const fail = (reason: string): void => {
      socket.destroy()
      reject(new Error(`Cannot trust ${url}: ${reason}`))
    }
    socket.setTimeout(withinMs, () => fail(`no answer within ${withinMs / 1000} s`))
    socket.once('error', (error) => fail(error.message))
    socket.once('secureConnect', () => {
      const found = hash === undefined ? undefined : chainOf(socket).find((one) => certificateHash(one.raw) === hash)
      const { authorized, authorizationError } = socket
      if (found) resolve(new X509Certificate(found.raw).toString())
      else if (authorized) resolve(undefined)
      else
        return fail(hash === undefined ? String(authorizationError) : 'its certificate is not the one that the join token names')
      socket.destroy()
    })
  })

/** How a server proves its name: a certificate that we trust by itself, not for who has signed it, may be under any name. */
export const identityBeside =
  (pem: string) =>
  (host: string, cert: PeerCertificate): Error | undefined =>
    cert.raw.equals(new X509Certificate(pem).raw) ? undefined : checkServerIdentity(host, cert)

const chainOf = (socket: TLSSocket): DetailedPeerCertificate[] => {
  const chain: DetailedPeerCertificate[] = []
  for (let one: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true); one?.raw; one = one.issuerCertificate) {
    if (chain.includes(one) || chain.length > 10) break // a root is its own issuer
    chain.push(one)
  }
  return chain
}
