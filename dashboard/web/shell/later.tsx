import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { Skeleton } from '../parts/skeleton.tsx'
import { untilLoaded } from './until-loaded.ts'

/** A part of a page that is fetched when it is shown, or when its `preload` is called. */
export const later = <Props extends object>(load: () => Promise<ComponentType<Props>>) => {
  let loaded: ComponentType<Props> | undefined
  let loading: Promise<void> | undefined
  const fetched = (): Promise<void> => {
    loading ??= untilLoaded(load).then((part) => {
      loaded = part
    })
    return loading
  }
  const Later = (props: Props) => {
    const [, setLoaded] = useState(loaded !== undefined)
    useEffect(() => {
      if (!loaded) void fetched().then(() => setLoaded(true))
    }, [])
    const Part = loaded
    return Part ? <Part {...props} /> : <Skeleton lines={10} />
  }
  return Object.assign(Later, { preload: () => void fetched() })
}
