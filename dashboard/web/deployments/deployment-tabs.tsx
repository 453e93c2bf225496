import { Tabs } from '../parts/tabs.tsx'

/** What is rolled out, and how that went: two lists that belong together. */
export const DeploymentTabs = ({ here }: { here: 'deployments' | 'releases' }) => (
  <Tabs
    label="Deployments and releases"
    tabs={[
      { id: 'deployments', label: 'Deployments' },
      { id: 'releases', label: 'Releases' },
    ]}
    selected={here}
    hrefOf={(id) => `/${id}`}
  />
)
