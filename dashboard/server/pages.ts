import { existsSync } from 'node:fs'
import type { RequestHandler } from 'express'
import sirv from 'sirv'

/** The pages as they were built: files by their names, and for every address that is a page's the one page that there is. */
export const servePages = (folder: string): RequestHandler => {
  if (!existsSync(folder)) throw new Error(`Cannot serve pages from "${folder}": they have not been built`)
  const files = sirv(folder, {
    // Looks for each file when it is asked for: a build may have taken the place of another since.
    dev: true,
    gzip: true,
    brotli: true,
    etag: true,
    single: false,
    // Names of assets carry a digest of what is in them.
    setHeaders: (response, path) => {
      response.setHeader('cache-control', path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache')
    },
  })
  return (request, response, next) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return next()
    if (!isPage(request.path)) return files(request, response, next)
    request.url = '/'
    files(request, response, next)
  }
}

/** Addresses of pages have no dot in their first part, and are not the API's: a file that is missing is not found. */
const isPage = (path: string): boolean =>
  !path.startsWith('/assets/') &&
  !path.startsWith('/api') &&
  !path.startsWith('/dashboard') &&
  !/^\/[^/]*\.[^/]*$/.test(path) &&
  !forOthers.has(path)

const forOthers: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics'])
