import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import { loginKinds } from '../../base/login.ts'
import { FleetName } from '../../schemas/ids.ts'
import type { Io } from './io.ts'

/** A fleet that this person uses: its broker and a token. Kept in a file of mode 0600 in the person's own configuration. */
export const Profile = z.strictObject({
  url: z.string(),
  token: z.string(),
  fleet: FleetName.optional(),
  login: z.enum(loginKinds).optional(),
  /** The certificate that its broker is trusted for (PEM). */
  ca: z.string().optional(),
})
export type Profile = z.infer<typeof Profile>

const Profiles = z.object({ active: z.string().nullable(), profiles: z.record(z.string(), Profile) })
export type Profiles = z.infer<typeof Profiles>

export const profileFileOf = (env: Io['env']): string =>
  join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'skein', 'profiles.json')

/** The person's profiles; none if there is no such file. A file that cannot be read is an error that names it. */
export const readProfiles = (env: Io['env']): Profiles => {
  const file = profileFileOf(env)
  if (!existsSync(file)) return { active: null, profiles: {} }
  try {
    return Profiles.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    throw new Error(`Cannot read the profiles in ${file}`, { cause: error })
  }
}

export const writeProfiles = (env: Io['env'], profiles: Profiles): void => {
  const file = profileFileOf(env)
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileAtomic(file, `${JSON.stringify(profiles, null, 2)}\n`, 0o600)
}
