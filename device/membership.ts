import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { DeviceName, FleetName } from '../schemas/ids.ts'

/** What a device that has joined knows of its fleet: a file in the data folder, by which the daemon needs no flags. */
const Membership = z.looseObject({ device: DeviceName, fleet: FleetName, url: z.string(), joined_with: z.string().optional() })
export type Membership = z.infer<typeof Membership>

/** Undefined where no device has joined. */
export const readMembership = (file: string): Membership | undefined => {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  const read = Membership.safeParse(JSON.parse(text))
  if (!read.success) throw new Error(`Cannot read "${file}": ${z.prettifyError(read.error)}`)
  return read.data
}

export const writeMembership = (file: string, membership: Membership): void =>
  writeFileAtomic(file, `${JSON.stringify(membership, null, 2)}\n`, 0o600)
