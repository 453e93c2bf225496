import type { World } from './world.ts'

/** What a part has found. `ratio` says how many times as good as the peer, or as what is required; `must` is what is demanded of it. */
export interface Figures {
  ratio: number
  must: number
  aim?: number
  [figure: string]: unknown
}

export interface BenchPart {
  /** One line for `npm run bench -- help`. */
  about: string
  /** Measures. What it opens in `world` is ended behind it, however it went. */
  run(world: World): Promise<Figures>
}

/** What a part needs is not on this machine. */
export class Missing extends Error {}
