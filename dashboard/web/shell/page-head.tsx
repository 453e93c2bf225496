import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { plainText } from '../format/plain-text.ts'
import { Icon } from '../parts/icon.tsx'
import { Plain } from '../parts/plain.tsx'

interface PageHeadProps {
  title: string
  /** What stands beside the title: a state. */
  beside?: ComponentChildren
  /** Where it belongs to. */
  up?: { href: string; label: string }
  actions?: ComponentChildren
  /** A line below the title. */
  children?: ComponentChildren
}

/** The head of a page: its heading, to which the focus goes when the page is opened, and what can be done here. */
export const PageHead = ({ title, beside, up, actions, children }: PageHeadProps) => {
  useEffect(() => {
    document.title = `${plainText(title)} · Skein`
  }, [title])
  return (
    <header class="page-head">
      <div class="page-head-text">
        {up && (
          <a class="page-up" href={up.href}>
            <Icon name="left" size={14} />
            {up.label}
          </a>
        )}
        <div class="page-head-title">
          <h1 tabIndex={-1}>
            <Plain text={title} />
          </h1>
          {beside}
        </div>
        {children && <div class="page-head-more">{children}</div>}
      </div>
      {actions && <div class="page-actions">{actions}</div>}
    </header>
  )
}
