/** Paths on a field of 24 by 24, drawn with a line of 2. */
const paths = {
  overview: 'M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-3H4zM14 7h6V4h-6z',
  fleet: 'M4 5h16v6H4zM4 13h16v6H4zM7.5 8h.01M7.5 16h.01M11 8h6M11 16h6',
  tasks: 'M9 6h11M9 12h11M9 18h11M4 6h.01M4 12h.01M4 18h.01',
  approvals: 'M12 3l7 3v5c0 4.5-3 8-7 10-4-2-7-5.5-7-10V6zM9 12l2 2 4-4',
  key: 'M14.5 9.500a4.5 4.5 0 1 0-4.2 4.490L12 12.300V15h2.500v2.500H17V20h3v-3.500l-5.9-5.900a4.5 4.5 0 0 0 .4-1.100zM8.5 8.500h.01',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.5 4.5',
  plus: 'M12 5v14M5 12h14',
  check: 'M5 12.500l4.5 4.500L19 7.5',
  cross: 'M6 6l12 12M18 6L6 18',
  warning: 'M12 4L2.8 20h18.400zM12 10v4.500M12 17.400h.01',
  clock: 'M12 3.500a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 8v4.500l3 2',
  play: 'M7 4.500v15l12-7.500z',
  stop: 'M6 6h12v12H6z',
  pause: 'M8 5v14M16 5v14',
  refresh: 'M20 11a8 8 0 0 0-14-4.500L4 8.500M4 4v4.500h4.500M4 13a8 8 0 0 0 14 4.500l2-2M20 20v-4.500h-4.5',
  question: 'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM9.8 9.6a2.3 2.3 0 1 1 3.4 2c-.8.5-1.2.9-1.2 1.7M12 16.4h.01',
  dot: 'M12 9.500a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.400M17.6 17.600L19 19M19 5l-1.4 1.400M6.4 17.600L5 19',
  moon: 'M20 14.500A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.500z',
  auto: 'M12 3.500a8.5 8.5 0 1 0 0 17zM12 3.500a8.5 8.5 0 0 1 0 17M12 8l5 0M12 12l6.5 0M12 16l5 0',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  down: 'M6 9.500l6 6 6-6',
  up: 'M6 14.5l6-6 6 6',
  filter: 'M4 5h16l-6 7.5v6.5l-4-2v-4.5z',
  right: 'M9.5 6l6 6-6 6',
  left: 'M14.5 6l-6 6 6 6',
  logs: 'M5 4h14v16H5zM8.5 9h7M8.5 13h7M8.5 17h4',
  user: 'M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4.5 20a7.5 7.5 0 0 1 15 0',
  out: 'M10 4H5v16h5M15 8l4 4-4 4M19 12H9.5',
  grid: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z',
  table: 'M4 5h16v14H4zM4 10h16M4 14.500h16M10 10v9',
  trash: 'M5 7h14M10 4h4M7 7l1 13h8l1-13',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
  deploy: 'M12 16V5M7 9.500l5-5 5 5M4 15v5h16v-5',
  release: 'M12 3l8 4.500v9L12 21l-8-4.500v-9zM4.300 7.700L12 12l7.700-4.300M12 12v8.500',
  back: 'M8.5 5L4 9.500l4.500 4.500M4 9.500h10a5.250 5.250 0 0 1 0 10.500h-3',
  send: 'M4 12l16-8-5 16-3.5-6.500z',
} as const

export type IconName = keyof typeof paths

/** A small drawing beside a word. It says nothing by itself, so screen readers pass over it. */
export const Icon = ({ name, size = 18 }: { name: IconName; size?: number }) => (
  <svg class="icon" viewBox="0 0 24 24" width={size} height={size} aria-hidden="true" focusable="false">
    <path d={paths[name]} />
  </svg>
)
