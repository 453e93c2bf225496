import { useStanding } from '../live/use-live.ts'
import { Icon } from '../parts/icon.tsx'

/** Says when what is shown is not live, and why. */
export const Away = () => {
  const { isConnected, bar } = useStanding()
  const why = !isConnected
    ? 'the connection to Skein is away'
    : bar && !bar.broker
      ? 'the broker cannot be reached'
      : bar && !bar.controller
        ? 'the controller is away'
        : undefined
  return (
    <div role="status" aria-live="polite">
      {why && (
        <p class="away">
          <Icon name="warning" size={16} />
          <span>
            Not live: {why}. <span class="away-more">Trying again.</span>
          </span>
        </p>
      )}
    </div>
  )
}
