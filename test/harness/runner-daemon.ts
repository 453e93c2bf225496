import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import type { StartOrder } from '../../device/runner.ts'
import { startProcessRunner } from '../../device/runners/process.ts'

/**
 * A daemon to be killed: starts the runs that it reads from stdin, one JSON order a line, and appends their output to files in
 * place of a journal. With `deaf` it journals nothing, so that all it reads is in its tail only.
 */
const [runs = '', journal = '', mode = ''] = process.argv.slice(2)
mkdirSync(journal, { recursive: true })
const runner = startProcessRunner({ folder: runs, clock: systemClock, log: silentLog, env: process.env })

createInterface({ input: process.stdin }).on('line', (line) => {
  // Written by the test that started this process.
  const order = JSON.parse(line) as StartOrder
  const say = (text: string): void => {
    process.stdout.write(`${order.run} ${text}\n`)
  }
  const handle = runner.start(order, {
    started: (pid) => say(`started ${pid}`),
    output: (stream, offset, bytes) => {
      if (mode !== 'deaf') {
        appendFileSync(join(journal, `${order.run}.${stream}`), bytes)
        handle.journalled(stream, offset + bytes.length)
      }
      say(`output ${stream} ${offset + bytes.length}`)
    },
    ended: (end) => say(`ended ${JSON.stringify(end)}`),
  })
})
