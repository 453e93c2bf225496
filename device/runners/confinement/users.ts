import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A user of this machine. One that is only a number has neither name nor home. */
export interface User {
  name: string | undefined
  uid: number
  gid: number
  home: string
  shell: string
}

/** Looks a user up by name or number; undefined if there is none of that name. */
export const findUser = (nameOrNumber: string): User | undefined => {
  const lines = `${readFileSync('/etc/passwd', 'utf8')}`.split('\n')
  const found = lines.map(parsePasswd).find((user) => user && isNamed(user, nameOrNumber))
  if (found) return found
  // Users of a directory (LDAP and the like) are in no file.
  const { status, stdout } = spawnSync('getent', ['passwd', nameOrNumber], { encoding: 'utf8', timeout: 5000 })
  const elsewhere = status === 0 ? parsePasswd(stdout.split('\n')[0] ?? '') : undefined
  if (elsewhere) return elsewhere
  if (!/^\d+$/.test(nameOrNumber)) return undefined
  return { name: undefined, uid: Number(nameOrNumber), gid: Number(nameOrNumber), home: '/', shell: '/bin/sh' }
}

/** Reads a line of passwd(5). */
export const parsePasswd = (line: string): User | undefined => {
  const [name, , uid, gid, , home, shell] = line.split(':')
  if (!name || !uid || !gid || Number.isNaN(Number(uid)) || Number.isNaN(Number(gid))) return undefined
  return { name, uid: Number(uid), gid: Number(gid), home: home || '/', shell: shell || '/bin/sh' }
}

const isNamed = (user: User, nameOrNumber: string): boolean => user.name === nameOrNumber || String(user.uid) === nameOrNumber

/** What a login would set. */
export const environmentOfUser = ({ name, uid, home, shell }: User): Record<string, string> => ({
  HOME: home,
  USER: name ?? String(uid),
  LOGNAME: name ?? String(uid),
  SHELL: shell,
})

/** Words in front of a program that make it that user's. It is replaced in place: no process is added. */
export const wordsAs = ({ name, uid, gid }: User, setpriv: string): readonly string[] => [
  setpriv,
  `--reuid=${uid}`,
  `--regid=${gid}`,
  name === undefined ? '--clear-groups' : '--init-groups',
  '--',
]
