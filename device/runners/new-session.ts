import { spawnSync } from 'node:child_process'
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../../base/log.ts'

/** Words in front of a program that make it the leader of a session of its own. */
export interface NewSession {
  /** `path` is the file that `argv` names. Not every file can be executed directly: `isDirect` says that this one can. */
  wordsFor(program: { path: string; argv: readonly string[]; isDirect: boolean }): readonly string[]
}

/**
 * setsid(1) is linked with a library, and to load that takes half of the time of a short run. So where we can we bring our own: an executable
 * of two system calls, setsid and execve, PATH ARGV0 ARG… It is tried before it is used; whatever goes wrong then, setsid(1) does it.
 */
export const openNewSession = (folder: string, log: Log): NewSession => {
  const setsid = findSetsid()
  let own: string | null | undefined
  return {
    wordsFor: ({ path, argv, isDirect }) => {
      own ??= tryOwn(folder, log)
      return own !== null && isDirect ? [own, path, ...argv] : [setsid, '--', ...argv]
    },
  }
}

/** The path of our own, or null where it does not work: another kind of machine, a folder from which nothing may be executed. */
const tryOwn = (folder: string, log: Log): string | null => {
  const machine = machines[process.arch]
  if (!machine) return null
  const path = join(folder, '.session')
  try {
    const draft = `${path}.${process.pid}`
    writeFileSync(draft, executable(machine), { mode: 0o700 })
    renameSync(draft, path)
    // The shell leads its session: the sixth field of its stat is its own pid.
    const check = 'read -r pid name state parent group session rest </proc/self/stat; [ "$0 $1 $pid" = "zero one $session" ]'
    const { status } = spawnSync(path, ['/bin/sh', 'sh', '-c', check, 'zero', 'one'], { stdio: 'ignore', timeout: 5000 })
    if (status === 0) return path
    log.debug({ status }, 'setsid of our own does not work here')
  } catch (error) {
    log.debug({ err: error }, 'setsid of our own cannot be used')
  }
  return null
}

export interface Machine {
  /** Its number in the header of an executable. */
  number: number
  code: Uint8Array
}

const machines: Partial<Record<NodeJS.Architecture, Machine>> = {
  x64: {
    number: 62,
    code: Buffer.from(
      [
        'b870000000 0f05', // setsid()
        '488b7c2410 488d742418', // path = argv[1], argv = argv + 2
        '488b0424 488d54c410', // envp lies behind the NULL of argv
        'b83b000000 0f05', // execve(path, argv, envp)
        'bf7e000000 b83c000000 0f05', // exit(126)
      ]
        .join('')
        .replaceAll(' ', ''),
      'hex',
    ),
  },
  arm64: {
    number: 183,
    code: Buffer.from(
      [
        'a81380d2 010000d4', // setsid()
        'e00b40f9 e1630091', // path = argv[1], argv = argv + 2
        'e20340f9 e26f228b 42400091', // envp lies behind the NULL of argv
        'a81b80d2 010000d4', // execve(path, argv, envp)
        'c00f80d2 a80b80d2 010000d4', // exit(126)
      ]
        .join('')
        .replaceAll(' ', ''),
      'hex',
    ),
  },
}

/** The smallest ELF file that holds the code: a header, one segment, nothing else. */
export const executable = ({ number, code }: Machine): Buffer => {
  const headers = 64 + 56
  const base = 0x400000
  const file = Buffer.alloc(headers + code.length)
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  file.writeUInt16LE(2, 16) // executable
  file.writeUInt16LE(number, 18)
  file.writeUInt32LE(1, 20)
  file.writeBigUInt64LE(BigInt(base + headers), 24) // where it begins
  file.writeBigUInt64LE(64n, 32) // the segments
  file.writeUInt16LE(64, 52)
  file.writeUInt16LE(56, 54)
  file.writeUInt16LE(1, 56)
  file.writeUInt32LE(1, 64) // one to load,
  file.writeUInt32LE(5, 68) // readable and executable
  file.writeBigUInt64LE(BigInt(base), 80)
  file.writeBigUInt64LE(BigInt(base), 88)
  file.writeBigUInt64LE(BigInt(file.length), 96)
  file.writeBigUInt64LE(BigInt(file.length), 104)
  file.writeBigUInt64LE(0x10000n, 112)
  file.set(code, headers)
  return file
}

const findSetsid = (): string => {
  const places = ['/usr/bin/setsid', '/bin/setsid', '/usr/local/bin/setsid']
  const found = places.find((place) => existsSync(place))
  if (!found) throw new Error(`Cannot start processes: no setsid at ${places.join(', ')}`)
  return found
}
