/** Something that was started and can be closed. Closing twice is harmless. */
export interface Closable {
  close(): Promise<void> | void
}

/** Collects what a root has opened; closes it in reverse order, once. */
export const startLifetime = () => {
  const opened: Closable[] = []
  let closing: Promise<void> | undefined
  return {
    own: <T extends Closable>(thing: T): T => {
      opened.push(thing)
      return thing
    },
    close: (): Promise<void> => {
      closing ??= (async () => {
        for (const thing of opened.reverse()) await thing.close()
      })()
      return closing
    },
  }
}
