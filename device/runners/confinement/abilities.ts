import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import type { Sandbox } from '../../../schemas/workload.ts'
import type { RunSetup } from '../../runner.ts'
import { findProgram } from '../find-program.ts'
import type { Cgroups } from './cgroups.ts'
import { wordsInSandbox } from './sandbox.ts'
import { findUser } from './users.ts'

/** What this daemon can enforce on this machine. */
export interface Abilities {
  /** What of a setup it cannot, in words for people, by the names that the fields have for them. */
  lacks(setup: RunSetup): string | undefined
  /** What it can, for its birth message. */
  list(): string[]
  setpriv: string | undefined
  bwrap: string | undefined
  nice: string | undefined
}

/** Looks once for what is needed; whether sandboxes work is tried when that is first asked. */
export const findAbilities = (cgroups: Cgroups): Abilities => {
  const powers = effectivePowers()
  const setpriv = systemProgram('setpriv')
  const bwrap = systemProgram('bwrap')
  const nice = systemProgram('nice')
  const canSwitch = setpriv !== undefined && [power.setuid, power.setgid, power.chown].every((bit) => has(powers, bit))
  const canRaise = has(powers, power.sysNice)
  let tried: SandboxAbilities | undefined
  const sandboxes = (): SandboxAbilities => {
    tried ??= trySandbox(bwrap)
    return tried
  }

  const ofUser = (user: string): string | undefined => {
    const found = findUser(user)
    if (!found) return `user: there is no user ${JSON.stringify(user)} here`
    if (found.uid === process.geteuid?.() || canSwitch) return undefined
    return setpriv === undefined
      ? 'user: setpriv (util-linux) is not installed here'
      : 'user: the device does not run as root here'
  }
  const ofNice = (wanted: number): string | undefined => {
    if (nice === undefined) return 'cpu_nice: nice (coreutils) is not installed here'
    return wanted >= getPriority() || canRaise ? undefined : 'cpu_nice: the device may not raise a priority here'
  }
  const ofOpenFiles = (count: number): string | undefined => {
    const most = has(powers, power.sysResource) ? mostOpenFiles() : hardOpenFiles()
    return count <= most ? undefined : `open_files_limit: at most ${most} can be had here`
  }
  const ofSandbox = (sandbox: Sandbox): string | undefined => {
    const missing = [
      sandbox.network === 'none' && !sandboxes().network && 'network',
      sandbox.filesystem === 'read_only' && !sandboxes().filesystem && 'filesystem',
      sandbox.private_tmp && !sandboxes().privateTmp && 'private_tmp',
    ].filter((one) => one !== false)
    if (missing.length === 0) return undefined
    return `sandbox (${missing.join(', ')}): ${bwrap === undefined ? 'bubblewrap is not installed here' : 'bubblewrap does not work here'}`
  }

  return {
    setpriv: canSwitch ? setpriv : undefined,
    bwrap,
    nice,
    lacks: ({ user, nice, openFiles, processes, cpuWeight, cpuPercent, sandbox }) => {
      const without = (field: string, controller: 'pids' | 'cpu', value: unknown): string | undefined =>
        value === undefined || cgroups.has(controller) ? undefined : `${field}: no ${controller} controller is writable here`
      const all = [
        user === undefined ? undefined : ofUser(user),
        nice === undefined ? undefined : ofNice(nice),
        openFiles === undefined ? undefined : ofOpenFiles(openFiles),
        without('pids_limit', 'pids', processes),
        without('cpu_weight', 'cpu', cpuWeight),
        without('cpu_limit_percent', 'cpu', cpuPercent),
        sandbox === undefined ? undefined : ofSandbox(sandbox),
      ].filter((one) => one !== undefined)
      return all.length === 0 ? undefined : all.join('; ')
    },
    list: () => [
      ...cgroups.versions.map((version) => `cgroup-v${version}`),
      ...(['memory', 'pids', 'cpu'] as const).filter(cgroups.has).map((controller) => `limit.${controller}`),
      ...(canSwitch ? ['user'] : []),
      ...(canRaise ? ['nice.negative'] : []),
      ...(sandboxes().network ? ['sandbox.network'] : []),
      ...(sandboxes().filesystem ? ['sandbox.filesystem'] : []),
      ...(sandboxes().privateTmp ? ['sandbox.private-tmp'] : []),
    ],
  }
}

interface SandboxAbilities {
  network: boolean
  filesystem: boolean
  privateTmp: boolean
}

const whole: Sandbox = { network: 'none', filesystem: 'read_only', private_tmp: true }
const none: Sandbox = { network: 'host', filesystem: 'read_write', private_tmp: false }

/** It may be installed and forbidden: user namespaces can be switched off, and containers have a say too. Usually one try tells all. */
const trySandbox = (bwrap: string | undefined): SandboxAbilities => {
  const works = (sandbox: Sandbox): boolean => {
    if (bwrap === undefined) return false
    const isRoot = process.geteuid?.() === 0
    const options = { bwrap, sandbox, folder: '/dev/shm', own: [], cwd: '/', tmp: '/var/tmp', script: undefined, isRoot }
    const [program = '', ...words] = wordsInSandbox(options)
    return spawnSync(program, [...words, '/bin/sh', '-c', 'true'], { stdio: 'ignore', timeout: 5000 }).status === 0
  }
  if (works(whole)) return { network: true, filesystem: true, privateTmp: true }
  return {
    network: works({ ...none, network: 'none' }),
    filesystem: works({ ...none, filesystem: 'read_only' }),
    privateTmp: works({ ...none, private_tmp: true }),
  }
}

/** Bits of capabilities(7). */
const power = { chown: 0, setgid: 6, setuid: 7, sysNice: 23, sysResource: 24 } as const

const effectivePowers = (): bigint =>
  BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'}`)
const has = (powers: bigint, bit: number): boolean => ((powers >> BigInt(bit)) & 1n) === 1n

const mostOpenFiles = (): number => Number(readFileSync('/proc/sys/fs/nr_open', 'latin1'))
const hardOpenFiles = (): number =>
  Number(/^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? mostOpenFiles())

const systemProgram = (name: string): string | undefined => {
  const found = findProgram(name, '/usr/bin:/bin:/usr/local/bin:/usr/sbin:/sbin', '/')
  return typeof found === 'string' ? undefined : found.path
}
