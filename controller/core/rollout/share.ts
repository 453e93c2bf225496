/** How many devices a count or a share of all stands for: a share is rounded down, but at least 1. */
export const countOfShare = (share: number | string, all: number): number => {
  const number = typeof share === 'number' ? share : Number.parseInt(share, 10)
  const isPart = typeof share === 'string' && share.endsWith('%')
  return Math.max(1, isPart ? Math.floor((all * number) / 100) : number)
}
