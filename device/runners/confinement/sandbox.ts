import { dirname } from 'node:path'
import type { Sandbox } from '../../../schemas/workload.ts'

export interface SandboxOptions {
  bwrap: string
  sandbox: Sandbox
  /** Stays writable. */
  folder: string
  /** So do these. */
  own: readonly string[]
  cwd: string
  /** Where /tmp really is, if it is to be the run's own. */
  tmp: string
  /** A file that has to stay to be seen. */
  script: string | undefined
  isRoot: boolean
}

/**
 * Words in front of a program that shut it in. Bubblewrap stays as the parent of the program, and ends with its status. What can undo
 * a read-only file system is taken from root; devices stay, because a service without them is of little use on a small machine.
 */
export const wordsInSandbox = ({ bwrap, sandbox, folder, own, cwd, tmp, script, isRoot }: SandboxOptions): readonly string[] => [
  bwrap,
  ...(sandbox.filesystem === 'read_only' ? ['--ro-bind', '/', '/', '--dev-bind', '/dev', '/dev'] : ['--dev-bind', '/', '/']),
  ...(sandbox.private_tmp
    ? ['--bind', tmp, '/tmp', ...wayTo(folder), ...own.flatMap(wayTo), ...(script === undefined ? [] : wayTo(script))]
    : []),
  '--bind',
  folder,
  folder,
  ...own.flatMap((path) => ['--bind', path, path]),
  ...(script === undefined ? [] : ['--ro-bind', script, script]),
  ...(sandbox.network === 'none' ? ['--unshare-net'] : []),
  ...(isRoot ? powers.flatMap((power) => ['--cap-drop', power]) : []),
  '--chdir',
  cwd,
  '--',
]

const powers = [
  'CAP_SYS_ADMIN',
  'CAP_SYS_PTRACE',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_BOOT',
  'CAP_MKNOD',
  'CAP_DAC_READ_SEARCH',
  'CAP_NET_ADMIN',
]

/** A folder below the /tmp that is hidden: those above it are made anew, so that any user can pass through. */
const wayTo = (path: string): string[] => {
  const above: string[] = []
  for (let one = dirname(path); one.startsWith('/tmp/'); one = dirname(one)) above.unshift(one)
  return above.flatMap((one) => ['--perms', '0755', '--dir', one])
}
