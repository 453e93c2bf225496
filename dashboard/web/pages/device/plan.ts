import type { ReportedRelease } from '../../../../schemas/desired.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'

/** A release on a device: what runs, what is to run, and why the two are not the same. */
export interface PlannedRelease {
  name: string
  runs: string | null
  wanted: string | null
  /** The deployment whose doing it is. */
  deployment: string | null
  state: string | null
  why: string | null
  since: string | null
}

/** The controller's plan, with what the device has said of it since. */
export const mergedPlan = (
  plan: OutputOf<'device.plan'>,
  live: readonly ReportedRelease[] | undefined,
): readonly PlannedRelease[] =>
  plan.releases.map(({ name, desired, reported, why }) => {
    const told = live?.find((one) => one.name === name) ?? reported
    const { progress } = told ?? {}
    const percent = progress && progress.total > 0 ? `${Math.floor((100 * progress.bytes) / progress.total)} % has come` : null
    const back = told?.went_back ? 'it went back by itself, since the controller could not be reached' : null
    return {
      name,
      runs: told?.active?.version ?? null,
      wanted: desired?.version ?? null,
      deployment: desired?.deployment.replace(/-back$/, '') ?? null,
      state: told?.state ?? null,
      // What it says itself is newer; the controller's word has its state in front.
      why: [told ? (told.reason ?? percent) : why, back].filter((part) => part !== null).join('; ') || null,
      since: told?.since ?? null,
    }
  })
