import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Missing } from './part.ts'
import type { World } from './world.ts'

/** Redis on a free port and a fresh folder, as BullMQ's guide wants it for work that must not be lost: append-only, fsync every second. */
export const startRedis = async (world: World): Promise<{ port: number; pid: number }> => {
  if (spawnSync('redis-server', ['--version']).status !== 0) throw new Missing('redis-server not found: apt install redis-server')
  const port = await freePort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', world.temp('redis')]
  const redis = world.start('redis-server', [...args, '--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''])
  for (let tries = 0; tries < 100; tries++) {
    if (redis.said().includes('Ready to accept connections')) return { port, pid: redis.pid }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`redis-server does not answer:\n${redis.said()}`)
}

const cache = join(dirname(fileURLToPath(import.meta.url)), '..', 'skein-bench-peers')

/** The folder of a package that we are measured against: installed into the cache by npm, never into package.json. */
export const peerPackage = (name: string, range: string): string => {
  const found = join(cache, 'node_modules', name)
  if (existsSync(join(found, 'package.json'))) return found
  mkdirSync(cache, { recursive: true })
  console.log(`  installing ${name}@${range} into the cache`)
  const npm = spawnSync('npm', ['i', '--prefix', cache, '--no-audit', '--no-fund', `${name}@${range}`], {
    encoding: 'utf8',
    timeout: 300_000,
  })
  if (npm.status !== 0) throw new Missing(`${name} could not be installed by npm:\n${npm.stderr}`)
  return found
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
