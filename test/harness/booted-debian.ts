import { execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from './eventually.ts'
import { type CliOptions, type CliResult, collect } from './installation.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const packages = 'systemd,systemd-sysv,dbus'

/** A Debian with systemd in a folder, which boots in a container with the network of this machine. */
export interface BootedDebian {
  root: string
  /** Boots it, and waits until systemd has started all there is to start. */
  boot(): Promise<void>
  /** As `systemctl poweroff` does; waits until it is off. */
  powerOff(): Promise<void>
  /** Runs a program in it. */
  run(words: readonly string[], options?: CliOptions): Promise<CliResult>
  /** The command lines of its processes, by their pids in it. */
  processes(): Promise<ReadonlyMap<number, string>>
  close(): Promise<void>
}

/** The suite and the mirror that this machine takes its own packages from. */
const aptSource = (): { suite: string; uri: string } => {
  const suite = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? ''
  const folder = '/etc/apt/sources.list.d'
  const files = ['/etc/apt/sources.list', ...(existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [])]
  for (const file of files.filter((one) => existsSync(one))) {
    const text = readFileSync(file, 'utf8')
    const [, line] = new RegExp(`^deb (?:\\[[^\\]]*\\] )?(\\S+) ${suite} .*\\bmain\\b`, 'm').exec(text) ?? []
    if (line !== undefined) return { suite, uri: line }
    for (const part of text.split(/\n\s*\n/)) {
      const [, uri] = /^URIs: *(\S+)/m.exec(part) ?? []
      if (uri !== undefined && new RegExp(`^Suites:.*\\s${suite}(\\s|$)`, 'm').test(part)) return { suite, uri }
    }
  }
  throw new Error(`No mirror of ${suite} stands in ${folder}`)
}

/** The tree is made once, in half a minute, and kept. DEBIAN_SUITE names another suite than that of this machine. */
const baseTree = (): string => {
  const { suite: own, uri } = aptSource()
  const suite = process.env['DEBIAN_SUITE'] ?? own
  const folder = join(root, 'node_modules/.cache', `debian-${suite}`)
  if (existsSync(folder)) return folder
  const draft = `${folder}.draft`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(dirname(folder), { recursive: true })
  execFileSync('debootstrap', ['--variant=minbase', `--include=${packages}`, suite, draft, uri], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  renameSync(draft, folder)
  return folder
}

/** Puts this Node, and the libraries that the tree lacks, where a program finds them. */
const copyNode = (tree: string): void => {
  cpSync(process.execPath, join(tree, 'usr/local/bin/node'), { dereference: true })
  for (const [, file = ''] of execFileSync('ldd', [process.execPath], { encoding: 'utf8' }).matchAll(/=> (\/\S+)/g)) {
    const to = join(tree, 'usr/local/lib', file.split('/').at(-1) ?? '')
    if (!existsSync(join(tree, file)) && !existsSync(join(tree, 'usr', file))) cpSync(realpathSync(file), to)
  }
}

/** Copies what a package would have, as it is built. */
export const copyBuild = (to: string): void => {
  for (const path of ['bin', 'dist', 'package.json', 'LICENSE', 'node_modules/bindings', 'node_modules/file-uri-to-path'])
    cpSync(join(root, path), join(to, path), { recursive: true, dereference: true })
  const addon = 'node_modules/better-sqlite3'
  for (const path of ['package.json', 'lib', 'build/Release/better_sqlite3.node'])
    cpSync(join(root, addon, path), join(to, addon, path), { recursive: true })
}

export const startBootedDebian = async (folder: string): Promise<BootedDebian> => {
  const tree = join(folder, 'root')
  execFileSync('cp', ['-a', '--reflink=auto', baseTree(), tree])
  copyNode(tree)
  writeFileSync(join(tree, 'etc/hostname'), 'trial\n')
  const logFile = join(folder, 'console')
  let nspawn: { pid: number; exited: Promise<void> } | undefined
  let init = 0

  const run: BootedDebian['run'] = (words, options) =>
    collect(
      'nsenter',
      ['-t', String(init), '-a', '--', ...words],
      { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' },
      options,
    )

  const boot = async (): Promise<void> => {
    const fd = openSync(logFile, 'a')
    const args = ['-D', tree, '--boot', '--register=no', '--keep-unit', '--console=pipe', '--quiet']
    const env = { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' }
    const child = spawn('systemd-nspawn', args, { env, stdio: ['ignore', fd, fd] })
    closeSync(fd)
    const { pid } = child
    if (pid === undefined) throw new Error('systemd-nspawn did not start')
    nspawn = { pid, exited: new Promise((resolve) => child.once('exit', () => resolve())) }
    // The first child only prepares; it is systemd's own name that tells the one that stays.
    init = await eventually('a process 1', () =>
      readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
        .trim()
        .split(' ')
        .map(Number)
        .find((one) => one > 0 && readFileSync(`/proc/${one}/comm`, 'utf8').trim() === 'systemd'),
    )
    await eventually(
      'all is started',
      async () => /^(running|degraded)/.test((await run(['systemctl', 'is-system-running'])).stdout),
      60_000,
    )
  }

  const powerOff = async (): Promise<void> => {
    await run(['systemctl', 'poweroff'])
    await nspawn?.exited
    nspawn = undefined
  }

  const close = async (): Promise<void> => {
    if (nspawn) {
      // Its process 1 ends all the others with it.
      process.kill(init || nspawn.pid, 'SIGKILL')
      await nspawn.exited
    }
    rmSync(folder, { recursive: true, force: true })
  }

  try {
    await boot()
  } catch (error) {
    const said = readFileSync(logFile, 'utf8').split('\n').slice(-20).join('\n')
    await close()
    throw new Error(`The Debian does not boot:\n${said}`, { cause: error })
  }
  return {
    root: tree,
    boot,
    powerOff,
    run,
    processes: async () => {
      const script = 'cd /proc; for p in [0-9]*; do printf "%s " "$p"; tr "\\0" " " <$p/cmdline; echo; done 2>/dev/null'
      const { stdout } = await run(['sh', '-c', script])
      return new Map(
        stdout.split('\n').flatMap((line) => {
          const [, pid, words = ''] = /^(\d+) (.*)$/.exec(line) ?? []
          return pid === undefined || words === '' ? [] : [[Number(pid), words.trim()] as const]
        }),
      )
    },
    close,
  }
}
