import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Builds before the tests that start real programs, if something is newer than what is built. */
export const setup = (): void => {
  execFileSync(process.execPath, [fileURLToPath(new URL('../scripts/ready.mjs', import.meta.url))], { stdio: 'inherit' })
}
