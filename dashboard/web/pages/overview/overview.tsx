import { PageHead } from '../../shell/page-head.tsx'

/** How the fleet and its work stand. */
export const OverviewPage = () => <PageHead title="Overview" />
