import { z } from 'zod'
import { DeviceName, Instant, Subject } from './ids.ts'
import { keyUses, PublicJwk } from './keys.ts'
import { number, type Operation, page, yesOrNo } from './operation.ts'
import { ListedToken } from './token.ts'

const Keys = z.looseObject({
  keys: z.array(
    z.looseObject({
      id: z.string(),
      use: z.enum(keyUses),
      newest: z.boolean(),
      /** Of an older key for tokens: who would be cut off without it; at most 100 are named. */
      held_by: z.array(Subject).optional(),
      held_by_count: z.number().int().optional(),
    }),
  ),
  /** Devices that have not been welcomed with the newest key yet; at most 100 are named. */
  devices_behind: z.array(DeviceName),
  devices_behind_count: z.number().int(),
})

/** What can be asked about tokens and keys. */
export const trustOperations = {
  'token.create': {
    summary: 'Make a token for a person, a program, or devices that are to join',
    role: 'admin',
    http: { method: 'post', path: '/tokens', status: 201 },
    input: z.strictObject({
      name: Subject.optional(),
      role: z.enum(['admin', 'operator', 'viewer', 'device', 'join']),
      ttl_seconds: number(
        z
          .number()
          .int()
          .min(1)
          .max(3650 * 24 * 3600),
      ).optional(),
      uses: number(z.number().int().min(1).max(100_000)).optional(),
      /** A key that the token is sealed to, so that no broker on the way can read it. */
      seal_to: PublicJwk.optional(),
    }),
    output: ListedToken.extend({ token: z.string().optional(), sealed: z.string().optional() }),
  },
  'token.self': {
    summary: 'Say whose token this is, what its role is, and until when it holds',
    role: 'viewer',
    http: { method: 'get', path: '/whoami', status: 200 },
    input: z.strictObject({}),
    output: z.looseObject({ subject: Subject, role: z.string(), fleet: z.string(), expires_at: Instant, version: z.string() }),
  },
  'token.list': {
    summary: 'List tokens, newest first: who has which role until when',
    role: 'admin',
    http: { method: 'get', path: '/tokens', status: 200 },
    input: z.strictObject(page),
    output: z.looseObject({ tokens: z.array(ListedToken), cursor: z.string().nullable() }),
  },
  'token.revoke': {
    summary: 'Revoke a token by its id, or all of a name; its connections are closed',
    role: 'admin',
    http: { method: 'post', path: '/tokens/{token}/revoke', status: 200 },
    input: z.strictObject({ token: z.string().min(1).max(128) }),
    output: z.looseObject({ revoked: z.array(ListedToken) }),
  },
  'key.list': {
    summary: 'List the keys that commands and tokens are signed with, newest first',
    role: 'admin',
    http: { method: 'get', path: '/keys', status: 200 },
    input: z.strictObject({}),
    output: Keys,
  },
  'key.rotate': {
    summary: 'Sign commands or tokens with a new key from now on; devices and brokers learn of it by the old one',
    role: 'admin',
    http: { method: 'post', path: '/keys', status: 201 },
    input: z.strictObject({ use: z.enum(keyUses).default('commands') }),
    output: Keys,
  },
  'key.forget': {
    summary: 'Delete an older key; whoever goes by no other is cut off, and devices have to join again',
    role: 'admin',
    http: { method: 'delete', path: '/keys/{key}', status: 200 },
    input: z.strictObject({ key: z.string().min(1).max(64), force: yesOrNo.default(false) }),
    /** And who held tokens of it that hold no more; at most 100 are named. */
    output: Keys.extend({ cut_off: z.array(Subject), cut_off_count: z.number().int() }),
  },
} as const satisfies Record<string, Operation>
