import type { Dropped } from '../../../schemas/log.ts'
import { bytesText, plural } from '../format/amounts.ts'

const reasons: Readonly<Record<string, string>> = {
  line_too_long: 'the rest of a line that was too long',
  output_limit: 'the program wrote more than the limit of its output',
  spool_full: 'the device had no room for them while it could not send',
  interrupted: 'Skein was killed on the device while it wrote them',
  damaged: 'the disk has not kept them',
  power_lost: 'the machine has lost its power',
  journal_lost: 'the device has lost what it had stored',
  missing: 'the controller has no copy of them',
  not_kept: 'neither the controller nor the device has them any more',
  retention: 'they were old, and have been removed',
}

/** What is missing at a place of a log, how much it is, and why. */
export const gapWords = ({ lines, bytes, reason }: Dropped): string => {
  const size = bytes > 0 ? ` (${bytesText(bytes)})` : ''
  const why = Object.hasOwn(reasons, reason) ? reasons[reason] : reason
  return `${lines > 0 ? `${plural(lines, 'line')}${size}` : `Something${size}`} missing here: ${why}`
}
