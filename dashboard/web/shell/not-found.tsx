import { LinkButton } from '../parts/button.tsx'
import { Empty } from '../parts/empty.tsx'
import { PageHead } from './page-head.tsx'

/** An address that leads nowhere. */
export const NotFound = () => (
  <>
    <PageHead title="Nothing is here" />
    <Empty icon="question" title="This address leads to no page">
      <LinkButton href="/">To the overview</LinkButton>
    </Empty>
  </>
)
