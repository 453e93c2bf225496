import { faultOfPath, releaseBounds } from '../../schemas/release.ts'

/** The file of a release that says what is in it: the first of its bundle, and at the top of where it is unpacked. */
export const manifestName = '.skein-release.json'

/** So long a name Linux takes. */
const mostNameBytes = 255

/** Why a path cannot be one of a release; undefined if it can. */
export const faultOfName = (path: string): string | undefined => {
  const fault = faultOfPath(path)
  if (fault !== undefined) return fault
  if (path.split('/').some((name) => Buffer.byteLength(name) > mostNameBytes))
    return `has a name in it of more than ${mostNameBytes} bytes`
  if (/\p{Surrogate}/u.test(path)) return 'is no text'
  if (path === manifestName || path.startsWith(`${manifestName}/`)) return 'has the place of the manifest'
  return undefined
}

/** Why a link cannot be one of a release, whatever lies where it leads; undefined if it may. */
export const faultOfLink = (link: string): string | undefined => {
  if (link === '') return 'leads nowhere'
  if (Buffer.byteLength(link) > releaseBounds.pathBytes) return `is longer than ${releaseBounds.pathBytes} bytes`
  if (link.startsWith('/')) return 'is absolute'
  if (/[\0\n\r\\]|\p{Surrogate}/u.test(link)) return 'has a character in it that no path of a release may have'
  return undefined
}
