import { z } from 'zod'

/**
 * What a part tells `skein up`, its parent, over the IPC channel that Node opens for a child. Once, when it answers:
 *
 *   { kind: 'ready', mqtt?, ws?, mqtts?, wss?, http?, https?, api? }      the addresses that it serves, as URLs; none for a device
 *
 * The parent says nothing over it: it asks a part to end by SIGTERM. When the channel closes, the parent is gone, however it
 * died, and the part ends too.
 */
export const PartMessage = z.object({
  kind: z.literal('ready'),
  mqtt: z.string().optional(),
  ws: z.string().optional(),
  mqtts: z.string().optional(),
  wss: z.string().optional(),
  http: z.string().optional(),
  https: z.string().optional(),
  api: z.string().optional(),
})
export type PartMessage = z.infer<typeof PartMessage>

/** Tells the parent something; without a parent nobody hears it. */
export const tellParent = (message: PartMessage): void => {
  // A parent that dies at this moment is noticed by onParentGone; there is nothing to do about the message.
  process.send?.(message, undefined, undefined, () => undefined)
}

/** Calls once, when the parent that started this process is gone; never in a process that was started without one. */
export const onParentGone = (call: () => void): void => {
  if (process.send === undefined) return
  if (process.connected) process.once('disconnect', call)
  else call()
}
