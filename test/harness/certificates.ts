import { execFileSync } from 'node:child_process'

/** Makes a self-signed certificate for a name, and its key, as files of PEM. */
export const makeCertificate = (name: string, certFile: string, keyFile: string): void => {
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`]
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', keyFile, '-out', certFile], { stdio: 'ignore' })
}
