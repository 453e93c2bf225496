import { plainBindOf } from '../base/plain-bind.ts'
import type { Config } from '../base/settings.ts'
import type { Addresses, Listen } from './listeners.ts'

/** Where the broker is to listen, from the settings that every part with a broker has. */
export const listenOf = (config: Config<'hub'> | Config<'broker'>): Listen => {
  const { tls_cert: certFile, tls_key: keyFile } = config
  return {
    bind: plainBindOf(config),
    tlsBind: config.bind,
    mqttPort: config.mqtt_port,
    wsPort: config.ws_port,
    ...(certFile !== undefined && keyFile !== undefined
      ? { tls: { port: config.tls_port, wssPort: config.wss_port, certFile, keyFile } }
      : {}),
  }
}

/** The URLs of what it listens on. */
export const urlsOf = ({ mqtt, ws, mqtts, wss }: Addresses): { mqtt: string; ws: string; mqtts?: string; wss?: string } => ({
  mqtt: mqtt.url,
  ws: ws.url,
  ...(mqtts ? { mqtts: mqtts.url } : {}),
  ...(wss ? { wss: wss.url } : {}),
})
