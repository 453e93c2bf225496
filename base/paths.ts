import { join } from 'node:path'

/** Where everything lies below the data folder. */
export const pathsIn = (data: string) => ({
  data,
  adminToken: join(data, 'admin.token'),
  endpoints: join(data, 'endpoints.json'),
  ports: join(data, 'ports.json'),
  keys: join(data, 'keys'),
  tokenKey: join(data, 'keys', 'token-key.pem'),
  tokenKeyPublic: join(data, 'keys', 'token-key.pub.pem'),
  /** What a broker was told of tokens: which were revoked, and which keys hold. */
  tokenTrust: join(data, 'broker', 'tokens.json'),
  controllerToken: join(data, 'keys', 'controller.token'),
  dashboardToken: join(data, 'keys', 'dashboard.token'),
  /** What the dashboard seals its sessions with, and those that have been ended. */
  sessionKey: join(data, 'keys', 'session.key'),
  endedSessions: join(data, 'keys', 'ended-sessions.json'),
  controller: join(data, 'controller'),
  controllerDb: join(data, 'controller', 'controller.db'),
  logDb: join(data, 'controller', 'logs.db'),
  /** Bundles of releases, by their sha256. */
  blobs: join(data, 'controller', 'blobs'),
  devices: join(data, 'devices'),
  /** Profiles of agents beside those that are known. */
  agents: join(data, 'agents'),
  /** Of a machine that has joined: as which device, where. */
  membership: join(data, 'device.json'),
  device: (name: string) => devicePathsIn(join(data, 'devices', name)),
})

/** Where everything lies below the folder of one device. */
export const devicePathsIn = (folder: string) => ({
  folder,
  token: join(folder, 'token'),
  /** The device's own keys. */
  identity: join(folder, 'identity.json'),
  /** The certificate authority of the broker that it joined at. */
  ca: join(folder, 'ca.pem'),
  journal: join(folder, 'journal.db'),
  runs: join(folder, 'runs'),
  spool: join(folder, 'spool'),
  /** The logs of workloads, and what they write into files by themselves. */
  logs: join(folder, 'logs'),
  outputs: join(folder, 'output'),
  /** A folder for each workload. */
  workloads: join(folder, 'workloads'),
  socket: join(folder, 'socket'),
  /** What it holds for agents. */
  secrets: join(folder, 'secrets.json'),
  /** A folder for each agent while it runs, and what they have left. */
  agents: join(folder, 'agents'),
  artifacts: join(folder, 'artifacts'),
})
