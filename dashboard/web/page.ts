import type { ComponentType } from 'preact'
import type { Bar } from '../../schemas/dashboard.ts'
import type { IconName } from './parts/icon.tsx'

/** A page of the dashboard. A folder below `pages/` with a `page.tsx` that exports one as `page` is all that it takes to add one. */
export interface Page {
  /** As preact-iso reads it: `/fleet/:device`. What follows a colon arrives as `params` of the component. */
  path: string
  title: string
  /** Fetches what it is made of: `import('./fleet.tsx').then((one) => one.FleetPage)`. */
  load: () => Promise<ComponentType<PageProps>>
  /** Its place in the navigation, if it has one. */
  nav?: {
    label: string
    icon: IconName
    order: number
    /** Other addresses that belong to it: `/releases`. */
    also?: readonly string[]
    /** Only shown to those who may do that much. */
    role?: 'operator' | 'admin'
    /** A number beside the label, if it is not 0. */
    count?: (bar: Bar) => number
  }
  /** The keys that lead to it, one after the other: `g f`. */
  shortcut?: string
}

/** What every page is given. */
export interface PageProps {
  params: Readonly<Record<string, string>>
}
