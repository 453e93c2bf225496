import { Command } from '../parts/command.tsx'
import { Empty } from '../parts/empty.tsx'

/** There is nothing to roll out: how to make something. */
export const NoRelease = () => (
  <Empty icon="release" title="There is no release yet">
    <p>A release is a folder of workloads with the files that they need, under a name and a version. It is made in a terminal:</p>
    <Command text="skein release create ./app --name sensors --version 1.0.0" />
    <p>The workloads are in its folder “workloads”, as files that end in .yaml.</p>
  </Empty>
)
