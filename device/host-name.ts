import { hostname } from 'node:os'

/** A name for a device that was given none: that of its machine. */
export function nameOfHost(): string {
  const name = hostname()
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 63)
  return name === '' ? 'device' : name
}
