/** The JSON in a message; undefined for what is none: whoever reads it refuses that. */
export const readMessage = (payload: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8'))
  } catch {
    return undefined // as promised above
  }
}

/**
 * The events of a message, with what they tell. Only the controller may publish them, thousands in a second: no schema looks at each, and
 * whoever uses a field looks at that.
 */
export const readEvents = (payload: Uint8Array): { type: string; data: Readonly<Record<string, unknown>> }[] => {
  const list = readMessage(payload)
  if (!Array.isArray(list)) return []
  return list.flatMap((one: unknown) => {
    const { type, data } = Object(one) as { type?: unknown; data?: unknown } // looked at here
    return typeof type === 'string' && typeof data === 'object' && data !== null
      ? [{ type, data: data as Record<string, unknown> }]
      : []
  })
}
