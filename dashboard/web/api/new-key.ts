/** A key under which something is asked for once, however often the question is sent. There is no `randomUUID` on pages without TLS. */
export const newKey = (): string =>
  `web-${[...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
