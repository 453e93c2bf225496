import { useEffect, useState } from 'preact/hooks'
import { findSession } from '../session/session.ts'

/** A page takes no longer than this over a slow line. If the server answers then, it has other files than those that are asked for. */
const patienceMs = 8_000

/** Who hears that a page is on its way. It is no state of the router: drawn again, that would take the page before off the screen. */
export const createLoading = () => {
  let listener: (isLoading: boolean) => void = () => {}
  return {
    tell: (isLoading: boolean): void => listener(isLoading),
    listen: (next: (isLoading: boolean) => void): void => {
      listener = next
    },
  }
}

/** Shows that a page is on its way. When the server has become another one meanwhile, everything is loaded anew. */
export const PageLoading = ({ loading }: { loading: ReturnType<typeof createLoading> }) => {
  const [isLoading, setIsLoading] = useState(false)
  useEffect(() => loading.listen(setIsLoading), [loading])
  useEffect(() => {
    if (!isLoading) return
    const timer = setInterval(async () => {
      const found = await findSession()
      if (found.ok || found.error.code === 'unauthorized') location.reload()
    }, patienceMs)
    return () => clearInterval(timer)
  }, [isLoading])
  return isLoading ? <div class="page-loading" role="status" aria-label="Loading" /> : null
}
