/** Light, dark, or as the system has it. */
export const themes = ['auto', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

const key = 'skein-theme'

/** The theme that was chosen in this browser. */
export const chosenTheme = (): Theme => {
  try {
    const kept = localStorage.getItem(key)
    return themes.find((theme) => theme === kept) ?? 'auto'
  } catch {
    return 'auto' // a browser that keeps nothing
  }
}

/** Shows the page in a theme, from now on in this browser. */
export const showTheme = (theme: Theme): void => {
  if (theme === 'auto') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme
  try {
    localStorage.setItem(key, theme)
  } catch {
    // A browser that keeps nothing: it holds until the tab is closed.
  }
}
