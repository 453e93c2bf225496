import { createHash } from 'node:crypto'

/** `token`: the broker reads our tokens (the embedded one, EMQX). `digest`: it has users of its own, made by `skein broker-config`. */
export const loginKinds = ['token', 'digest'] as const
export type Login = (typeof loginKinds)[number]

/** The password with which the holder of a token logs in at the broker. */
export const passwordFor = (login: Login, token: string): string =>
  login === 'token' ? token : digestPassword(createHash('sha256').update(token).digest('hex'))

/**
 * The password of a broker's own user, from the hash of the token as the controller keeps it: so the controller can tell a
 * broker about every user, nobody has a second secret to carry, and no foreign broker ever sees a token.
 */
export const digestPassword = (tokenHash: string): string =>
  createHash('sha256').update(`skein broker login ${tokenHash}`).digest('hex')
