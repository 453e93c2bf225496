import { dashboard } from './dashboard.ts'
import { device } from './device.ts'
import { dispatch } from './dispatch.ts'
import { latency } from './latency.ts'
import { logs } from './logs.ts'
import type { BenchPart } from './part.ts'
import { rollout } from './rollout.ts'
import { scale } from './scale.ts'
import { start } from './start.ts'
import { supervise } from './supervise.ts'
import { validate } from './validate.ts'

/** The parts of the bench by name, in the order in which they run. */
export const benchParts: Readonly<Record<string, BenchPart>> = {
  dispatch,
  latency,
  start,
  logs,
  supervise,
  device,
  scale,
  dashboard,
  rollout,
  validate,
}
