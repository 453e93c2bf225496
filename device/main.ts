import { readFileSync } from 'node:fs'
import { tellParent } from '../base/parent.ts'
import { runPart } from '../base/part.ts'
import { pathsIn } from '../base/paths.ts'
import { startDevice } from './device.ts'

/** The root of a device's daemon. */
await runPart('device', async (config, log) => {
  const name = config.name ?? 'local'
  process.title = `skein device ${name}`
  const paths = pathsIn(config.data).device(name)
  const token = (): string => config.token ?? readFileSync(config.token_file ?? paths.token, 'utf8').trim()
  const device = await startDevice({
    name,
    fleet: config.fleet,
    folder: paths.folder,
    url: config.url ?? 'mqtt://127.0.0.1:1883',
    token,
    labels: config.labels,
    capacity: config.capacity,
    spoolMb: config.spool_mb,
    env: process.env,
    log,
  })
  tellParent({ kind: 'ready' })
  return {
    // Asked to end, it ends what it runs. An orphan only goes: whoever comes next adopts its runs.
    close: (why) => (why === 'asked' ? device.shutdown() : device.leave()),
  }
})
