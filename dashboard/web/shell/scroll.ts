import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { useLocation } from 'preact-iso'

/** For how long a page that is still growing is followed. */
const growMs = 1_500

/** "Back" leads to where somebody was on a page, not only to the page: positions are remembered by address. */
export const useScrollMemory = (): void => {
  const { url } = useLocation()
  const here = useRef(url)
  const positions = useRef(new Map<string, number>())

  useEffect(() => {
    history.scrollRestoration = 'manual'
    let isReturning = false
    let frame = 0
    const keep = () => {
      if (!isReturning) positions.current.set(here.current, scrollY)
    }
    const restore = () => {
      cancelAnimationFrame(frame)
      isReturning = true
      const until = performance.now() + growMs
      const follow = () => {
        const wanted = positions.current.get(here.current) ?? 0
        scrollTo(0, wanted)
        isReturning = Math.abs(scrollY - wanted) > 2 && performance.now() < until
        if (isReturning) frame = requestAnimationFrame(follow)
      }
      // By then the page is the other one.
      frame = requestAnimationFrame(() => {
        frame = requestAnimationFrame(follow)
      })
    }
    // Who scrolls meanwhile wants to be elsewhere.
    const stop = () => {
      cancelAnimationFrame(frame)
      isReturning = false
    }
    addEventListener('scroll', keep, { passive: true })
    addEventListener('popstate', restore)
    addEventListener('wheel', stop, { passive: true })
    addEventListener('touchmove', stop, { passive: true })
    return () => {
      cancelAnimationFrame(frame)
      removeEventListener('scroll', keep)
      removeEventListener('popstate', restore)
      removeEventListener('wheel', stop)
      removeEventListener('touchmove', stop)
    }
  }, [])
  // Before the browser tells of what scrolled when the page was changed.
  useLayoutEffect(() => {
    here.current = url
  }, [url])
}
