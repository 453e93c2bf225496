import type { WireError } from '../../../schemas/errors.ts'
import { Button } from './button.tsx'
import { Icon } from './icon.tsx'
import { Plain } from './plain.tsx'

/** A refusal, in its own words, with a way to try again where that may help. */
export const Fault = ({ error, onRetry }: { error: WireError; onRetry?: () => void }) => (
  <div class="fault" role="alert">
    <Icon name="warning" />
    <Plain text={error.message} />
    {onRetry && (
      <Button small onClick={onRetry}>
        Try again
      </Button>
    )}
  </div>
)
