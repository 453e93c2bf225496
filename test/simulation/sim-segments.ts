import type { SegmentName, Segments } from '../../device/logs/segments.ts'

/** A spool in memory: it outlives the daemon, as files do. With `room` it can be full. */
export const createSimSegments = (now: () => number) => {
  const files = new Map<string, { name: SegmentName; bytes: Buffer; at: number }>()
  let room = Number.POSITIVE_INFINITY
  const keyOf = ({ run, index }: SegmentName): string => `${run}.${index}`
  const sizeOf = (): number => [...files.values()].reduce((sum, file) => sum + file.bytes.length, 0)
  const put = (name: SegmentName, bytes: Buffer): void => {
    const before = files.get(keyOf(name))?.bytes.length ?? 0
    if (bytes.length > before && sizeOf() - before + bytes.length > room)
      throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    files.set(keyOf(name), { name, bytes, at: now() })
  }
  const get = (name: SegmentName): Buffer => files.get(keyOf(name))?.bytes ?? Buffer.alloc(0)
  const segments: Segments = {
    list: () => [...files.values()].map(({ name, bytes, at }) => ({ ...name, size: bytes.length, at })),
    begin: (name, parts) => put(name, Buffer.concat(parts)),
    prepare: () => {},
    append: (name, parts) => put(name, Buffer.concat([get(name), ...parts])),
    read: (name, position, into) => get(name).copy(into, 0, position),
    replace: (name, bytes) => put(name, Buffer.from(bytes)),
    amend: (name, position, bytes, size) => {
      const all = get(name)
      all.set(bytes, position)
      put(name, all.subarray(0, size))
    },
    remove: (name) => {
      files.delete(keyOf(name))
    },
    seal: () => {},
    close: () => {},
  }
  return {
    segments,
    setRoom: (bytes: number): void => {
      room = bytes
    },
    clear: (): void => files.clear(),
  }
}
