import { describe, test } from 'vitest'
import { chromiumProgram } from '../harness/chromium.ts'
import { followLongLog } from '../harness/log-trial.ts'

const program = chromiumProgram()

describe.skipIf(program === undefined)('a long log in a browser', () => {
  test('200,000 lines, followed live: few rows, any line found, none lost', { timeout: 120_000 }, () =>
    followLongLog(program ?? '', 200_000),
  )
})
