import { LinkButton } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { Command } from '../../parts/command.tsx'
import { Empty } from '../../parts/empty.tsx'
import { useSession } from '../../session/session.ts'

/** A fleet without a device: how to add one. */
export const NoDevices = () => {
  const { isAdmin } = useSession()
  return (
    <Card>
      <Empty icon="fleet" title="No device has joined yet">
        <p>A device is any Linux machine that runs Skein. It joins with one line, which is made for it.</p>
        {isAdmin ? (
          <LinkButton kind="primary" icon="plus" href="/tokens?add=device">
            Add a device
          </LinkButton>
        ) : (
          <>
            <p>An administrator makes that line here, or with:</p>
            <Command text="skein token create --role join" />
          </>
        )}
      </Empty>
    </Card>
  )
}

/** Nothing has run yet: how to run the first thing. */
export const NoTasks = () => {
  const { mayAct } = useSession()
  return (
    <Card>
      <Empty icon="tasks" title="Nothing has run yet">
        <p>A task is a command, a script or an agent’s job. It goes to a device that fits, and its output comes back here.</p>
        {mayAct && (
          <LinkButton kind="primary" icon="play" href="/tasks/new">
            Run something
          </LinkButton>
        )}
        <Command text="skein run -- sh -c 'echo hello; uname -a'" />
      </Empty>
    </Card>
  )
}
