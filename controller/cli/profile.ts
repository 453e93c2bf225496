import { exitCodes, usageFailure } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { readProfiles, writeProfiles } from './profiles.ts'
import { tableOf } from './table.ts'
import { findWhere } from './where.ts'

const namePattern = /^[a-z0-9][a-z0-9-]{0,62}$/

/** `profile add`: keeps the broker, token and fleet that are found now under a name; the first one becomes the active one. */
export const addProfile = async (io: Io, flags: GlobalFlags, name: string): Promise<number> => {
  if (!namePattern.test(name))
    throw usageFailure(`"${name}" is no name for a profile: 1 to 63 of a-z, 0-9 and -, not starting with -`)
  const found = findWhere(flags, io.env)
  if (!found.ok) throw usageFailure(`${found.reason}; give it with --url and --token`)
  const { url, token, fleet, login, ca } = found.where
  const { active, profiles } = readProfiles(io.env)
  writeProfiles(io.env, {
    active: active ?? name,
    profiles: {
      ...profiles,
      [name]: { url, token, fleet, ...(login === 'token' ? {} : { login }), ...(ca === undefined ? {} : { ca }) },
    },
  })
  return said(
    io,
    flags,
    { profile: name, url, fleet, active: (active ?? name) === name },
    `profile ${name} is kept${active === null ? ' and active' : ''}\n`,
  )
}

/** `profile use`: from now on verbs go there, where no data folder, variable or flag says otherwise. */
export const useProfile = async (io: Io, flags: GlobalFlags, name: string): Promise<number> => {
  const { profiles } = readProfiles(io.env)
  if (!Object.hasOwn(profiles, name)) throw unknown(name, Object.keys(profiles))
  writeProfiles(io.env, { active: name, profiles })
  return said(io, flags, { profile: name, active: true }, `profile ${name} is active\n`)
}

export const removeProfile = async (io: Io, flags: GlobalFlags, name: string): Promise<number> => {
  const { active, profiles } = readProfiles(io.env)
  if (!Object.hasOwn(profiles, name)) throw unknown(name, Object.keys(profiles))
  const { [name]: _, ...rest } = profiles
  writeProfiles(io.env, { active: active === name ? null : active, profiles: rest })
  return said(io, flags, { profile: name, removed: true }, `profile ${name} is gone\n`)
}

/** `profile list`: never shows tokens. */
export const listProfiles = async (io: Io, flags: GlobalFlags): Promise<number> => {
  const { active, profiles } = readProfiles(io.env)
  const rows = Object.entries(profiles).map(([name, { url, fleet }]) => ({
    profile: name,
    url,
    fleet: fleet ?? 'default',
    active: name === active,
  }))
  if (flags.json) printJson(io, rows)
  else
    io.out(
      tableOf(
        ['PROFILE', 'ACTIVE', 'FLEET', 'BROKER'],
        rows.map((row) => [row.profile, row.active ? 'yes' : '', row.fleet, row.url]),
        io.terminal,
      ),
    )
  return exitCodes.done
}

const said = (io: Io, flags: GlobalFlags, value: object, text: string): number => {
  if (flags.json) printJson(io, value)
  else io.out(text)
  return exitCodes.done
}

const unknown = (name: string, known: string[]) =>
  usageFailure(
    `there is no profile "${name}"; ${known.length > 0 ? `there are ${known.join(', ')}` : 'add one with "skein profile add"'}`,
  )
