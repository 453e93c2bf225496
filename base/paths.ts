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
  controllerToken: join(data, 'keys', 'controller.token'),
  controller: join(data, 'controller'),
  controllerDb: join(data, 'controller', 'controller.db'),
  logDb: join(data, 'controller', 'logs.db'),
  devices: join(data, 'devices'),
  device: (name: string) => devicePathsIn(join(data, 'devices', name)),
})

/** Where everything lies below the folder of one device. */
export const devicePathsIn = (folder: string) => ({
  folder,
  token: join(folder, 'token'),
  journal: join(folder, 'journal.db'),
  runs: join(folder, 'runs'),
  socket: join(folder, 'socket'),
})
