import { defineConfig } from 'vitest/config'
import { textFiles } from './test/text-files.ts'

export default defineConfig({
  plugins: [textFiles()],
  test: {
    name: 'soak',
    include: ['test/soak/**/*.test.ts'],
    globalSetup: ['test/build-once.ts'],
    fileParallelism: false,
    passWithNoTests: true,
    testTimeout: 24 * 3600 * 1000,
    hookTimeout: 120_000,
  },
})
