import type { Bus } from './bus.ts'

/** The bus of a device that has joined no fleet: nobody is there, and never comes. */
export const noBus: Bus & { lastError(): string } = {
  publish: () => {},
  subscribe: () => Promise.resolve(),
  unsubscribe: () => {},
  isHeard: () => false,
  isConnected: () => false,
  onConnect: () => {},
  onDisconnect: () => {},
  backlogBytes: () => 0,
  close: () => Promise.resolve(),
  lastError: () => 'it has joined no fleet; join with: skein device join',
}
