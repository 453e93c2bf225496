/** The MQTT client id of a device. Nobody else in the fleet may use it. */
export const deviceClientId = (fleet: string, device: string): string => `${fleet}-${device}`

/** The MQTT client id of a fleet's controller. No device's can be the same: a name has no dot. */
export const controllerClientId = (fleet: string): string => `${fleet}.controller`

/** Whom a client id is kept for; undefined if anybody may take it. */
export const keptFor = (fleet: string, clientId: string): { device: string } | 'controller' | undefined => {
  if (clientId === controllerClientId(fleet)) return 'controller'
  return clientId.startsWith(`${fleet}-`) ? { device: clientId.slice(fleet.length + 1) } : undefined
}
