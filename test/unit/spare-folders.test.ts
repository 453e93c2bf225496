import { mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openSpareFolders } from '../../device/runners/spare-folders.ts'
import { canMount, mountSmallDisk, type SmallDisk } from '../harness/small-disk.ts'

let folder: string
let disk: SmallDisk | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-spare-'))
})
afterEach(() => {
  disk?.close()
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(!canMount())('openSpareFolders() on a disk that has no more files to give', () => {
  // Sixteen folders are made at a time, with two folders and three pipes each: they run out among the folders, or among the pipes.
  test.each([20, 60])('of %i free ones it says that there is no room, and takes none of them', (files) => {
    disk = mountSmallDisk(join(folder, 'disk'), 8, files)
    const spares = openSpareFolders(join(folder, 'disk', 'spare'))
    const { ffree } = statfsSync(join(folder, 'disk'))
    for (let i = 0; i < 3; i++) expect(() => spares.take()).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    expect(readdirSync(join(folder, 'disk', 'spare'))).toEqual([])
    expect(statfsSync(join(folder, 'disk')).ffree).toBe(ffree)
  })
})
