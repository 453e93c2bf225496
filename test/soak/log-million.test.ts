import { describe, test } from 'vitest'
import { chromiumProgram } from '../harness/chromium.ts'
import { followLongLog } from '../harness/log-trial.ts'

const program = chromiumProgram()

describe.skipIf(program === undefined)('a long log in a browser', () => {
  test('a million lines, followed live: few rows, any line found, none lost', () => followLongLog(program ?? '', 1_000_000))
})
