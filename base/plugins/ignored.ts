/** An answer that nobody takes may be a promise, and one that fails with nobody listening would end the process. */
export const ignored = (answer: unknown): void => {
  if (answer instanceof Promise) answer.catch(() => undefined) // nobody waits for it
}
