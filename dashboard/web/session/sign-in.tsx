import { useEffect, useState } from 'preact/hooks'
import type { SessionShown } from '../../../schemas/dashboard.ts'
import { useAction } from '../api/use-ask.ts'
import { Button } from '../parts/button.tsx'
import { Command } from '../parts/command.tsx'
import { TextField } from '../parts/field.tsx'
import { openSession } from './session.ts'

/** Signing in with a token. */
export const SignIn = ({ onSignedIn }: { onSignedIn: (session: SessionShown) => void }) => {
  const [token, setToken] = useState('')
  const { run, isBusy, error } = useAction(openSession, onSignedIn)
  useEffect(() => {
    document.title = 'Sign in · Skein'
    document.querySelector<HTMLInputElement>('main input')?.focus()
    const code = location.hash.slice(1)
    if (code === '') return
    // It is good once: neither the history nor a bookmark has any use for it.
    history.replaceState(null, '', location.pathname + location.search)
    void run({ code })
  }, [])
  const wanted = token.trim()
  return (
    <main class="alone">
      <div class="sign-in">
        <img src={new URL('../icon.svg', import.meta.url).href} alt="" width="48" height="48" />
        <h1>Sign in to Skein</h1>
        <form
          class="form"
          noValidate
          onSubmit={(event) => {
            event.preventDefault()
            if (wanted !== '') void run({ token: wanted })
          }}
        >
          <TextField
            label="Token"
            type="password"
            autocomplete="current-password"
            value={token}
            onInput={setToken}
            error={error?.message}
            mono
          />
          <Button type="submit" kind="primary" busy={isBusy} disabled={wanted === ''}>
            Sign in
          </Button>
        </form>
        <section class="sign-in-help" aria-labelledby="where">
          <h2 id="where">Where to find a token</h2>
          <p>On the machine that Skein runs on, in its folder:</p>
          <Command text="cat .skein/admin.token" />
          <p>Or have a link made there that signs you in:</p>
          <Command text="bin/skein open" />
          <p>Or ask an administrator to make one for you:</p>
          <Command text="skein token create --name you --role operator" />
        </section>
      </div>
    </main>
  )
}
