import { Button } from './button.tsx'

interface PagingProps {
  /** What is shown: `50 tasks`. */
  shown: string
  hasMore: boolean
  isLoading: boolean
  onMore: () => void
}

/** The end of a list that has more. */
export const Paging = ({ shown, hasMore, isLoading, onMore }: PagingProps) => (
  <div class="paging">
    <span class="muted" role="status">
      {shown}
    </span>
    {hasMore && (
      <Button onClick={onMore} busy={isLoading}>
        Show more
      </Button>
    )}
  </div>
)
