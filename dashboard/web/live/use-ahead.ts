import { createContext } from 'preact'
import { useContext } from 'preact/hooks'

/** How far the server's clock is ahead of this one: what was just now there is just now here. */
export const AheadContext = createContext(0)
export const useAheadMs = (): number => useContext(AheadContext)
