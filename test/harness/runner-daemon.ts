import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import type { StartOrder } from '../../device/runner.ts'
import { startProcessRunner } from '../../device/runners/process.ts'

/** A daemon to be killed: starts the runs that it reads from stdin, one JSON order a line, and appends their output to files. */
const [runs = '', journal = ''] = process.argv.slice(2)
mkdirSync(journal, { recursive: true })
const runner = startProcessRunner({ folder: runs, clock: systemClock, log: silentLog, env: process.env })

createInterface({ input: process.stdin }).on('line', (line) => {
  // Written by the test that started this process.
  const order = JSON.parse(line) as StartOrder
  const read = { o: 0, e: 0 }
  const say = (text: string): void => {
    process.stdout.write(`${order.run} ${text}\n`)
  }
  runner.start(order, {
    started: (pid) => say(`started ${pid}`),
    output: (stream, bytes) => {
      appendFileSync(join(journal, `${order.run}.${stream}`), bytes)
      read[stream] += bytes.length
      say(`output ${stream} ${read[stream]}`)
    },
    ended: (end) => say(`ended ${JSON.stringify(end)}`),
    noRoom: () => say('noRoom'),
  })
})
