const againMs = 2_000

/** Loads a part of the pages, however long the server is away: who has opened a page gets it when there is a server again. */
export const untilLoaded = async <Part>(load: () => Promise<Part>): Promise<Part> => {
  for (;;) {
    try {
      return await load()
    } catch {
      // The server is away, or another version of it has other files: who waits for this part then loads all of it anew.
      await new Promise((resolve) => setTimeout(resolve, againMs))
    }
  }
}
