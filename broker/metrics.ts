import { type Family, gauge } from '../base/metrics.ts'
import type { Broker } from './broker.ts'

/** What the broker tells at a scrape. */
export const brokerFamilies = (broker: Broker): Family[] => {
  const stats = broker.stats()
  return [
    gauge('skein_mqtt_connections', 'MQTT connections that have logged in.', stats.clients),
    gauge('skein_mqtt_sockets', 'Connections that are open, those that have not logged in included.', stats.connections),
    count('skein_mqtt_logins_total', 'Logins that were let in.', stats.logins),
    count('skein_mqtt_logins_refused_total', 'Logins that were refused.', stats.loginsRefused),
    count('skein_mqtt_connections_refused_total', 'Connections closed before their CONNECT.', stats.connectionsRefused),
    count(
      'skein_mqtt_messages_total',
      'Messages from and to clients.',
      { in: stats.messagesIn, out: stats.messagesOut },
      'direction',
    ),
    count('skein_mqtt_bytes_total', 'Bytes from and to clients.', { in: stats.bytesIn, out: stats.bytesOut }, 'direction'),
    count('skein_mqtt_publishes_refused_total', 'Publishes without the right.', stats.publishesRefused),
    count(
      'skein_mqtt_messages_dropped_total',
      'Messages given up because too much waited for their client.',
      stats.messagesDropped,
    ),
    count(
      'skein_mqtt_clients_stalled_total',
      'Clients closed because they took in nothing, or too slowly.',
      stats.clientsStalled,
    ),
    gauge('skein_mqtt_retained_messages', 'Messages that are retained.', stats.retainedMessages),
    gauge('skein_mqtt_retained_bytes', 'What retained messages take, about.', stats.retainedBytes),
    gauge('skein_mqtt_sessions_kept', 'Sessions kept for clients that are away.', stats.sessionsKept),
  ]
}

const count = (name: string, help: string, value: number | Readonly<Record<string, number>>, label = 'reason'): Family => ({
  ...gauge(name, help, value, label),
  type: 'counter',
})
