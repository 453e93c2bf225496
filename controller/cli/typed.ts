/** What is typed or piped into the process, byte by byte. */
export interface Typed {
  /** Each key comes as it is pressed, Ctrl-C too. */
  isTerminal: boolean
  /** Undefined where there is no terminal. */
  size: () => { rows: number; columns: number } | undefined
  onBytes: (call: (bytes: Buffer) => void) => void
  onEnd: (call: () => void) => void
  onResize: (call: () => void) => void
  /** Leaves the terminal as it was. */
  close: () => void
}

/** Takes the standard input of this process: a terminal without echo and without its own meaning of keys. */
export const openTyped = (): Typed => {
  const { stdin, stdout } = process
  const isTerminal = stdin.isTTY === true && stdout.isTTY === true
  if (isTerminal) stdin.setRawMode(true)
  return {
    isTerminal,
    size: () => (isTerminal && stdout.rows && stdout.columns ? { rows: stdout.rows, columns: stdout.columns } : undefined),
    onBytes: (call) => void stdin.on('data', (part) => call(Buffer.from(part))),
    onEnd: (call) => {
      stdin.once('end', call)
      stdin.once('error', call) // nothing comes any more, whatever it was
    },
    onResize: (call) => void stdout.on('resize', call),
    close: () => {
      if (isTerminal) stdin.setRawMode(false)
      stdin.pause()
    },
  }
}
