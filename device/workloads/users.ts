import { readFileSync } from 'node:fs'

/** The numbers of a user of this machine, by name or number; undefined if there is none. */
export const identityOf = (user: string): { uid: number; gid: number } | undefined => {
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [name, , uid, gid] = line.split(':')
    if ((name === user || uid === user) && uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  return undefined
}
