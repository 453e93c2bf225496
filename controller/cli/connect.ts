import { sleep } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { passwordFor } from '../../base/login.ts'
import { startMqttBus } from '../../base/mqtt-bus.ts'
import { type Client, clientOn } from './client.ts'
import { CliFailure, exitCodes, unreachable, usageFailure } from './exit.ts'
import type { GlobalFlags, Io } from './io.ts'
import { findWhere, type Where } from './where.ts'

/** Connects to the broker that flags, environment or data folder name. */
export const connectClient = async (io: Io, flags: GlobalFlags): Promise<Client> => {
  const timeoutMs = (flags.timeout ?? 10) * 1000
  const where = await waitForWhere(io, flags, timeoutMs)
  const bus = startMqttBus({
    url: where.url,
    clientId: '',
    username: where.subject,
    // A new `skein up` may have made a new token.
    password: () => {
      const now = findWhere(flags, io.env)
      const { login, token } = now.ok ? now.where : where
      return passwordFor(login, token)
    },
    ...(where.ca === undefined ? {} : { ca: where.ca }),
    log: silentLog,
    clock: io.clock,
    chance: io.chance,
    reconnect: { firstMs: 100, mostMs: 1000 },
  })
  return clientOn(bus, where, io, timeoutMs)
}

/** `skein up` writes the addresses when all parts answer: where it is starting they may come. */
const waitForWhere = async (io: Io, flags: GlobalFlags, timeoutMs: number): Promise<Where> => {
  const deadline = io.clock.mono() + timeoutMs
  for (;;) {
    const search = findWhere(flags, io.env)
    if (search.ok) return search.where
    if (search.kind === 'usage') throw usageFailure(search.reason)
    if (search.kind === 'token') throw new CliFailure(exitCodes.refused, 'unauthorized', search.reason)
    if (!search.mayCome || io.clock.mono() >= deadline) throw unreachable(search.reason)
    await sleep(io.clock, 200)
  }
}
