import { defineConfig } from 'vitest/config'
import { textFiles } from './test/text-files.ts'

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [textFiles()],
        test: {
          name: 'unit',
          maxWorkers: 2,
          include: ['test/{unit,simulation}/**/*.test.ts'],
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [textFiles()],
        test: {
          name: 'fleet',
          include: ['test/fleet/**/*.test.ts'],
          globalSetup: ['test/build-once.ts'],
          // Real processes: more at a time than there are cores only makes each of them late.
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
