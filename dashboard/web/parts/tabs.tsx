interface TabsProps<Id extends string> {
  label: string
  tabs: readonly { id: Id; label: string; count?: number | undefined }[]
  selected: Id
  /** Where a tab is: tabs are links, so that each can be kept and shared. */
  hrefOf: (id: Id) => string
}

/** Parts of a page of which one is shown. */
export const Tabs = <Id extends string>({ label, tabs, selected, hrefOf }: TabsProps<Id>) => (
  <nav class="tabs" aria-label={label}>
    {tabs.map((tab) => (
      <a key={tab.id} href={hrefOf(tab.id)} aria-current={tab.id === selected ? 'true' : undefined}>
        {tab.label}
        {tab.count !== undefined && <span class="tabs-count">{tab.count}</span>}
      </a>
    ))}
  </nav>
)
