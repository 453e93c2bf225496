import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { LocationProvider, Route, Router, useLocation } from 'preact-iso'
import type { SessionShown } from '../../schemas/dashboard.ts'
import type { WireError } from '../../schemas/errors.ts'
import { createAsk, send } from './api/ask.ts'
import { AskContext } from './api/use-ask.ts'
import { returnPath } from './format/return-path.ts'
import { type Live, startLive } from './live/live.ts'
import { LiveContext } from './live/use-live.ts'
import { pages, preloadPointedAt, routes } from './pages.ts'
import { Fault } from './parts/fault.tsx'
import { endSession, findSession, SessionContext, withRights } from './session/session.ts'
import { SignIn } from './session/sign-in.tsx'
import { NotFound } from './shell/not-found.tsx'
import { createLoading, PageLoading } from './shell/page-loading.tsx'
import { useScrollMemory } from './shell/scroll.ts'
import { Shell } from './shell/shell.tsx'

/** The dashboard: the login for those who are not signed in, the pages for those who are. */
export const App = () => (
  <LocationProvider>
    <Door />
  </LocationProvider>
)

type Who =
  | { kind: 'unknown' }
  | { kind: 'nobody' }
  | { kind: 'somebody'; session: SessionShown }
  | { kind: 'unreachable'; error: WireError }

const Door = () => {
  const { path, query, route } = useLocation()
  const [who, setWho] = useState<Who>({ kind: 'unknown' })
  const find = useCallback(async () => {
    const found = await findSession()
    if (found.ok) setWho({ kind: 'somebody', session: found.output })
    else setWho(found.error.code === 'unauthorized' ? { kind: 'nobody' } : { kind: 'unreachable', error: found.error })
  }, [])
  useEffect(() => void find(), [find])

  const isLogin = path === '/login'
  useEffect(() => {
    // With the hash, which names the line of a log.
    const here = location.pathname + location.search + location.hash
    if (who.kind === 'nobody' && !isLogin) route(`/login?to=${encodeURIComponent(here)}`, true)
    if (who.kind === 'somebody' && isLogin) route(returnPath(query['to']), true)
  }, [who.kind, isLogin])

  switch (who.kind) {
    case 'unknown':
      return null
    case 'unreachable':
      return (
        <main class="alone">
          <Fault error={who.error} onRetry={() => void find()} />
        </main>
      )
    case 'nobody':
      return isLogin ? <SignIn onSignedIn={(session) => setWho({ kind: 'somebody', session })} /> : null
    case 'somebody':
      return isLogin ? null : <House shown={who.session} onLeft={() => setWho({ kind: 'nobody' })} />
  }
}

const House = ({ shown, onLeft }: { shown: SessionShown; onLeft: () => void }) => {
  const left = useRef(onLeft)
  left.current = onLeft
  const ask = useMemo(() => createAsk(() => left.current()), [])
  const session = useMemo(() => {
    const signOut = async () => {
      const outcome = await endSession()
      if (outcome.ok) left.current()
      return outcome
    }
    return withRights(shown, signOut)
  }, [shown])
  const [live, setLive] = useState<Live | null>(null)
  useEffect(() => {
    const started = startLive({
      ticket: () => send<{ ticket: string }>('POST', '/dashboard/ticket'),
      onEnded: () => left.current(),
    })
    setLive(started)
    return started.close
  }, [])
  if (!live) return null
  return (
    <SessionContext.Provider value={session}>
      <AskContext.Provider value={ask}>
        <LiveContext.Provider value={live}>
          <Shell pages={pages}>
            <Pages />
          </Shell>
        </LiveContext.Provider>
      </AskContext.Provider>
    </SessionContext.Provider>
  )
}

/** Where the focus goes when another page is opened: to its heading, or the whole of it. */
const focusHeading = (): void => {
  const heading = document.querySelector<HTMLElement>('main h1') ?? document.getElementById('main')
  heading?.focus({ preventScroll: true })
}

const Pages = () => {
  useScrollMemory()
  const loading = useMemo(createLoading, [])
  useEffect(() => preloadPointedAt(document), [])
  return (
    <>
      <PageLoading loading={loading} />
      <Router onRouteChange={focusHeading} onLoadStart={() => loading.tell(true)} onLoadEnd={() => loading.tell(false)}>
        {[
          ...routes.map(({ path, component }) => <Route key={path} path={path} component={component} />),
          <Route key="none" default component={NotFound} />,
        ]}
      </Router>
    </>
  )
}
