import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import { watchFiles } from './watched-files.ts'

export interface Certificate {
  cert: string
  key: string
}

/** Certificate and key, as files of PEM. */
export interface CertificateFiles {
  certFile: string
  keyFile: string
}

export const minTlsVersion = 'TLSv1.2'

/** Reads a certificate with its key; throws if they are none or do not belong together. */
export const readCertificate = async ({ certFile, keyFile }: CertificateFiles): Promise<Certificate> => {
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')])
  createSecureContext({ cert, key })
  return { cert, key }
}

/** Hands out the certificate again whenever its files change. A new one that cannot be used leaves the old one in place. */
export const watchCertificate = (
  files: CertificateFiles,
  use: (certificate: Certificate) => void,
  { log, clock }: { log: Log; clock: Clock },
) => {
  const load = async (): Promise<void> => {
    try {
      use(await readCertificate(files))
      log.info({ cert: files.certFile }, 'certificate loaded again')
    } catch (error) {
      log.warn({ err: error, cert: files.certFile, key: files.keyFile }, 'new certificate cannot be used, the old one stays')
    }
  }
  const watch = watchFiles([files.certFile, files.keyFile], load, clock)
  return { reload: load, close: watch.close }
}
