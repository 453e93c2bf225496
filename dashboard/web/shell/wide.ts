import { useEffect, useState } from 'preact/hooks'

const wide = '(min-width: 1200px)'

/** Whether there is room for a wide table. */
export const useWide = (): boolean => {
  const [isWide, setIsWide] = useState(() => matchMedia(wide).matches)
  useEffect(() => {
    const query = matchMedia(wide)
    const onChange = () => setIsWide(query.matches)
    query.addEventListener('change', onChange)
    return () => query.removeEventListener('change', onChange)
  }, [])
  return isWide
}
