import { useState } from 'preact/hooks'
import { useAction } from '../api/use-ask.ts'
import { Button } from '../parts/button.tsx'
import { Plain } from '../parts/plain.tsx'
import { Segments } from '../parts/segments.tsx'
import { useToast } from '../parts/toast.tsx'
import { useSession } from '../session/session.ts'
import { chosenTheme, showTheme, type Theme } from './theme.ts'

/** Who is signed in, the theme, the shortcuts, and the way out. */
export const Account = ({ onShortcuts }: { onShortcuts: () => void }) => {
  const { subject, role, fleet, version, signOut } = useSession()
  const toast = useToast()
  const leave = useAction(async () => {
    const outcome = await signOut()
    if (!outcome.ok) toast('bad', `Cannot sign out: ${outcome.error.message}`)
    return outcome
  })
  const [theme, setTheme] = useState<Theme>(chosenTheme)
  const choose = (next: Theme) => {
    showTheme(next)
    setTheme(next)
  }
  return (
    <div class="account">
      <div class="account-row">
        <Segments
          label="Theme"
          value={theme}
          options={[
            { value: 'auto', label: 'As the system', icon: 'auto' },
            { value: 'light', label: 'Light', icon: 'sun' },
            { value: 'dark', label: 'Dark', icon: 'moon' },
          ]}
          onChange={choose}
        />
        <Button kind="quiet" icon="question" bare onClick={onShortcuts} title="Keyboard shortcuts">
          Keyboard shortcuts
        </Button>
      </div>
      <div class="account-row">
        <p class="account-who">
          <strong>
            <Plain text={subject} cut />
          </strong>
          <span>
            {role} · {fleet} · {version}
          </span>
        </p>
        <Button kind="quiet" icon="out" bare busy={leave.isBusy} onClick={() => void leave.run()} title="Sign out">
          Sign out
        </Button>
      </div>
    </div>
  )
}
