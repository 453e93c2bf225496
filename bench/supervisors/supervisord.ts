import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Missing } from '../part.ts'
import type { Supervise } from './supervisor.ts'
import { countLines } from './text-log.ts'

/** supervisord in the foreground, with nothing between a service and its next start. */
export const superviseWithSupervisord: Supervise = async (world, services) => {
  if (spawnSync('supervisord', ['--version']).status !== 0)
    throw new Missing('supervisord not found: apt install supervisor; it is left out')
  const home = world.temp('supervisord')
  const logOf = (service: string): string => join(home, `${service}.log`)
  const file = join(home, 'supervisord.conf')
  const sections = services.map(({ name, command }) =>
    section(`program:${name}`, {
      ...{ command: command.map(quoted).join(' '), autorestart: 'true', startsecs: '0' },
      ...{ stdout_logfile: logOf(name), stdout_logfile_maxbytes: '0', redirect_stderr: 'true' },
    }),
  )
  const own = { nodaemon: 'true', logfile: join(home, 'supervisord.log'), pidfile: join(home, 'pid'), childlogdir: home }
  writeFileSync(file, [section('supervisord', own), ...sections].join('\n'))
  const daemon = world.start('supervisord', ['-n', '-c', file], { cwd: home })
  return {
    pid: daemon.pid,
    helpers: () => [],
    logsOf: (service) => [logOf(service)],
    linesOf: (service) => countLines(logOf(service)),
    end: () => daemon.end(),
  }
}

const section = (name: string, settings: Readonly<Record<string, string>>): string =>
  [`[${name}]`, ...Object.entries(settings).map((pair) => pair.join('=')), ''].join('\n')

// % is its own sign for variables.
const quoted = (word: string): string => `'${word.replaceAll('%', '%%')}'`
