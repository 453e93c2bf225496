import type { ReleaseState, ReportedRelease } from '../../../schemas/desired.ts'

/** How far a device is with what was written for it, as a mark: the stage, and within it the bytes of a download. */
export const progressOf = (reported: ReportedRelease | null, isInformed: boolean): string =>
  reported === null ? `${isInformed ? 1 : 0}:0` : `${stages[reported.state]}:${reported.progress?.bytes ?? 0}`

/**
 * Whether a mark is further than the furthest before it. A device that goes back to an earlier stage again and again, as one whose daemon
 * dies while it unpacks, gets nowhere.
 */
export const isFurther = (mark: string, than: string | null): boolean => {
  const [stage, bytes] = read(mark)
  const [lastStage, lastBytes] = than === null ? [-1, 0] : read(than)
  return stage > lastStage || (stage === lastStage && bytes > lastBytes)
}

/** Whether it runs what was written, and is being judged by its device. */
export const isBeingJudged = (mark: string | null): boolean => mark !== null && read(mark)[0] >= stages.settling

const read = (mark: string): [stage: number, bytes: number] => {
  const [stage, bytes] = mark.split(':')
  return [Number(stage), Number(bytes)]
}

const stages: Record<ReleaseState, number> = {
  downloading: 2,
  unpacking: 3,
  applying: 4,
  removing: 4,
  settling: 5,
  unhealthy: 5,
  healthy: 5,
  failed: 5,
}

/** The mark of a healthy device that is not so at the moment. */
export const unhealthyMark = 'unhealthy'
