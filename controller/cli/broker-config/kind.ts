import type { Role } from '../../../schemas/topics.ts'

/** Somebody whom the broker is to let in, with what the table of topics grants. */
export interface BrokerUser {
  /** The user name: the subject of a token. */
  subject: string
  role: Role
  password: string
  /** MQTT filters. */
  publish: readonly string[]
  subscribe: readonly string[]
}

export interface BrokerPlan {
  fleet: string
  users: readonly BrokerUser[]
  /** Where the broker is to listen for MQTT. */
  listen: { host: string; port: number }
  /** Where the files lie on the broker's machine. */
  folder: string
  /** The public key that new tokens are checked with (PEM). */
  publicKeyPem: string
}

export interface BrokerFile {
  name: string
  text: string
  /** `yours` is written once and then left to whoever runs the broker; `ours` is written anew each time. */
  owner: 'yours' | 'ours'
}

/** A kind of broker: what to write for it, and what to do with that. */
export interface BrokerKind {
  files(plan: BrokerPlan): BrokerFile[]
  /** How to start with these files, and how to take up new ones. */
  next(plan: BrokerPlan): { start: string; reload: string; login: 'token' | 'digest' }
}
