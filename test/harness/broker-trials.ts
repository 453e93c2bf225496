import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import mqttPacket, { type Packet } from 'mqtt-packet'
import { eventually } from './eventually.ts'
import type { OpenBroker } from './open-broker.ts'
import { connectBytes } from './raw-mqtt.ts'
import type { Seeded } from './seeded.ts'

/** The resident memory of a process in MB, as the kernel counts it. */
export const residentMb = (pid: number): number => {
  const found = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found?.[1] ?? 0) / 1024
}

const opened = (url: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => resolve(socket))
    socket.on('error', reject) // later ones change nothing: the promise is settled
  })

/** Two clients that talk to each other all the while; each round trip is timed. */
export const startTalk = async (broker: OpenBroker) => {
  const [asks, answers] = [await broker.client(), await broker.client()]
  const name = `talk-${asks.socket.localPort}`
  await answers.subscribe(`${name}/ask`, 1)
  await asks.subscribe(`${name}/answer`, 1)
  const publish = (topic: string, payload: string | Buffer, messageId: number): Packet => ({
    ...{ cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false, messageId },
  })
  const times: number[] = []
  let isOver = false
  let answered = 0
  const onAsk = (): void => {
    for (const one of answers.received.splice(0))
      if (one.cmd === 'publish')
        answers.send(
          { cmd: 'puback', messageId: one.messageId ?? 0 },
          publish(`${name}/answer`, one.payload, (answered++ % 60_000) + 1),
        )
  }
  answers.socket.on('data', onAsk)
  const talking = (async () => {
    for (let i = 0; !isOver; i++) {
      const start = performance.now()
      asks.send(publish(`${name}/ask`, `${i}`, (i % 60_000) + 1))
      const has = (): boolean => asks.received.some((one) => one.cmd === 'publish' && one.payload.toString() === `${i}`)
      while (!has() && !asks.isClosed()) await once(asks.socket, 'data')
      if (asks.isClosed()) throw new Error('The broker has closed a client that did nothing wrong')
      times.push(performance.now() - start)
      for (const one of asks.received.splice(0))
        if (one.cmd === 'publish') asks.send({ cmd: 'puback', messageId: one.messageId ?? 0 })
    }
  })()
  return {
    /** Ends the talk; tells of its round trips in milliseconds. */
    end: async () => {
      isOver = true
      await talking
      const sorted = times.sort((a, b) => a - b)
      return { count: sorted.length, p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0, worst: sorted.at(-1) ?? 0 }
    },
  }
}

/** Random and mutated packets from a seed, on connections that have logged in or not. */
export const sendGarbage = async (
  broker: OpenBroker,
  chance: Seeded,
  count: number,
): Promise<{ packets: number; connections: number }> => {
  const samples = [
    connectBytes({ clientId: 'g', will: { topic: 'w', retain: true } }),
    ...(
      [
        { cmd: 'publish', topic: 'g/a', payload: 'x'.repeat(50), qos: 0, retain: false, dup: false },
        { cmd: 'publish', topic: 'g/b', payload: 'y', qos: 2, retain: true, dup: false, messageId: 3 },
        { cmd: 'subscribe', messageId: 4, subscriptions: [{ topic: 'g/+', qos: 2 }] },
        { cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['g/#'] },
        { cmd: 'puback', messageId: 1 },
        { cmd: 'pubrec', messageId: 1 },
        { cmd: 'pubrel', messageId: 3 },
        { cmd: 'pubcomp', messageId: 1 },
        { cmd: 'pingreq' },
      ] satisfies Packet[]
    ).map((one) => mqttPacket.generate(one)),
  ]
  const garbage = (): Buffer => {
    if (chance.isLucky(0.2)) return Buffer.from(Array.from({ length: 1 + chance.below(200) }, () => chance.below(256)))
    const bytes = Buffer.from(samples[chance.below(samples.length)] ?? [])
    for (let changes = chance.below(4); changes > 0; changes--) bytes[chance.below(bytes.length)] = chance.below(256)
    return chance.isLucky(0.1) ? bytes.subarray(0, chance.below(bytes.length)) : bytes
  }
  let packets = 0
  let connections = 0
  const one = async (): Promise<void> => {
    while (packets < count) {
      connections += 1
      const socket = await opened(broker.url)
      socket.resume()
      if (chance.isLucky(0.8))
        socket.write(connectBytes({ clientId: `g${chance.below(50)}`, clean: chance.isLucky(0.5), keepalive: 5 }))
      for (let left = 1 + chance.below(20); left > 0 && packets < count; left--) {
        packets += 1
        if (!socket.destroyed) socket.write(garbage())
      }
      await new Promise((resolve) => setImmediate(resolve))
      if (chance.isLucky(0.5)) socket.destroy()
      else socket.end()
    }
  }
  await Promise.all(Array.from({ length: 10 }, one))
  return { packets, connections }
}

/** Connections that announce a packet of 256 MB before login, and begin to send it. */
export const announceHuge = async (broker: OpenBroker, count: number): Promise<number> => {
  const before = residentMb(broker.pid)
  const sockets = await Promise.all(Array.from({ length: count }, () => opened(broker.url)))
  for (const socket of sockets) {
    socket.resume()
    socket.write(Buffer.concat([Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]), Buffer.alloc(1024 * 1024)]))
  }
  await eventually('all are closed', () => sockets.every((one) => one.destroyed))
  return residentMb(broker.pid) - before
}

/** Connections that say nothing. Gives how long a normal client took to get in among them, and how long they were there. */
export const sayNothing = async (broker: OpenBroker, count: number): Promise<{ loginMs: number; closedAfterMs: number }> => {
  const start = performance.now()
  const sockets: Socket[] = []
  while (sockets.length < count) sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => opened(broker.url)))))
  for (const socket of sockets) socket.resume()
  const before = performance.now()
  const client = await broker.client()
  await client.say()
  const loginMs = performance.now() - before
  await eventually('they are closed', () => sockets.every((one) => one.destroyed), 15_000)
  return { loginMs, closedAfterMs: performance.now() - start }
}

/** One client id, taken over again and again. Gives how many connections are left. */
export const takeOver = async (broker: OpenBroker, count: number): Promise<number> => {
  const sockets: Socket[] = []
  for (let done = 0; done < count; done += 50) {
    const some = await Promise.all(Array.from({ length: 50 }, () => opened(broker.url)))
    const answered = some.map((socket) => new Promise((resolve) => socket.once('data', resolve).once('close', resolve).resume()))
    for (const [i, socket] of some.entries()) socket.write(connectBytes({ clientId: 'contested', clean: i % 2 === 0 }))
    await Promise.all(answered)
    sockets.push(...some)
  }
  const alive = (): number => sockets.filter((one) => !one.destroyed).length
  await eventually('one is left', () => alive() === 1)
  const left = alive()
  for (const socket of sockets) socket.destroy()
  return left
}

/** A subscriber that stops reading while it is sent this much. Gives the most that the broker grew, in MB. */
export const floodStalled = async (broker: OpenBroker, megabytes: number): Promise<number> => {
  const before = residentMb(broker.pid)
  const stalled = await broker.client({ keepalive: 0 })
  await stalled.subscribe('flood', 1)
  stalled.socket.pause()
  const from = await broker.client()
  let most = 0
  const payload = Buffer.alloc(64 * 1024, 'x')
  for (let sent = 0; sent < megabytes * 16; sent += 16) {
    const batch = Array.from(
      { length: 16 },
      (_, i): Packet => ({ cmd: 'publish', topic: 'flood', payload, qos: 1, retain: false, dup: false, messageId: i + 1 }),
    )
    from.received.length = 0
    from.send(...batch)
    await eventually('acknowledgements', () => from.received.length >= 16, 30_000)
    most = Math.max(most, residentMb(broker.pid) - before)
  }
  stalled.socket.resume()
  await stalled.closed()
  return most
}
