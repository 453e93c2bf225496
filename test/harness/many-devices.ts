import { mkdirSync } from 'node:fs'
import { pathsIn } from '../../base/paths.ts'
import { openStore } from '../../controller/store/store.ts'

/** Writes devices that have been away for a while into a data folder on which nothing runs yet: `pi-1`, `pi-2`, … */
export const writeDevices = (data: string, count: number, now: number): void => {
  const paths = pathsIn(data)
  mkdirSync(paths.controller, { recursive: true })
  const store = openStore(paths.controllerDb, paths.logDb)
  store.db.transaction(() => {
    for (let i = 1; i <= count; i++) {
      const name = `pi-${i}`
      store.devices.join(name, now)
      const row = store.devices.get(name)
      const labels = { os: 'linux', arch: i % 2 === 0 ? 'arm64' : 'x64', rack: `r${i % 50}` }
      if (row)
        store.devices.update({
          ...row,
          labels: JSON.stringify(labels),
          capacity: 4,
          version: '0.1.0',
          last_seen_at: now - i * 1000,
        })
    }
  })()
  store.close()
}
