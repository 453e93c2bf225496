import { defineConfig } from 'vitest/config'
import { textFiles } from './test/text-files.ts'

export default defineConfig({
  test: {
    // What the tests run in their own process; the built programs that they start are not counted. A floor, not an aim.
    coverage: {
      provider: 'v8',
      include: ['{schemas,base,broker,controller,device,dashboard/server/picture,dashboard/server/feeds}/**/*.ts'],
      exclude: ['**/main.ts', '**/*.d.ts'],
      reporter: ['text-summary'],
      thresholds: { lines: 75, functions: 70, branches: 70, statements: 72 },
    },
    projects: [
      {
        plugins: [textFiles()],
        test: {
          name: 'unit',
          maxWorkers: 2,
          include: ['test/{unit,simulation,web}/**/*.test.ts'],
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [textFiles()],
        test: {
          name: 'fleet',
          include: ['test/{fleet,browser}/**/*.test.ts'],
          globalSetup: ['test/build-once.ts'],
          // Real processes on two cores, which mostly wait: more at a time would only make each of them late.
          maxWorkers: 3,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
