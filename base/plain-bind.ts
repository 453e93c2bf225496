import { isLoopback } from './config-faults.ts'

/**
 * Where listeners without TLS bind: tokens must not cross a network readable. On any other address than loopback only the one
 * with a certificate listens, unless `insecure` says otherwise.
 */
export const plainBindOf = ({ bind, insecure }: { bind: string; insecure: boolean }): string =>
  insecure || isLoopback(bind) ? bind : '127.0.0.1'
