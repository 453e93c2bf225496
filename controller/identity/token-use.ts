import type { Clock, Timer } from '../../base/clock.ts'
import type { GroupCommit } from '../../base/group-commit.ts'
import type { Log } from '../../base/log.ts'
import type { Store } from '../store/store.ts'

/** When a token was last used is good to know, and not worth a write for each request. */
const writeAfterMs = 60_000

export const createTokenUse = ({
  store,
  commits,
  clock,
  log,
}: {
  store: Store
  commits: GroupCommit
  clock: Clock
  log: Log
}) => {
  const uses = new Map<string, number>()
  let timer: Timer | undefined
  const write = (): void => {
    timer = undefined
    const written = new Map(uses)
    uses.clear()
    commits
      .run(() => {
        for (const [jti, at] of written) store.tokens.used(jti, at)
      })
      .catch((error: unknown) => log.warn({ err: error }, 'when tokens were last used could not be stored'))
  }
  return {
    note: (jti: string): void => {
      uses.set(jti, clock.now())
      timer ??= clock.after(writeAfterMs, write)
    },
    /** Of a token, in milliseconds since 1970; null if it was never used. */
    last: (jti: string, stored: number | null): number | null => uses.get(jti) ?? stored,
    close: (): void => timer?.cancel(),
  }
}
export type TokenUse = ReturnType<typeof createTokenUse>
