import type { BrokerKind, BrokerPlan, BrokerUser } from './kind.ts'

/** NATS with JetStream: a configuration, and a file of users that it includes. */
export const nats: BrokerKind = {
  files: (plan) => [
    { name: 'nats.conf', owner: 'yours', text: configOf(plan) },
    { name: 'users.conf', owner: 'ours', text: usersOf(plan) },
  ],
  next: ({ folder }) => ({
    start: `nats-server -c ${folder}/nats.conf`,
    reload: 'nats-server --signal reload=PID',
    login: 'digest',
  }),
}

const configOf = ({
  fleet,
  listen,
  folder,
}: BrokerPlan): string => `# NATS for the Skein fleet "${fleet}". This file is yours: it is not written again.
server_name: skein-${fleet}
# NATS' own protocol, for its tools; the users below may use MQTT only. Port -1 picks a free one.
listen: "127.0.0.1:4222"
# MQTT keeps retained messages and QoS 1 in JetStream.
jetstream {
  store_dir: "${folder}/jetstream"
}
mqtt {
  listen: "${listen.host}:${listen.port}"
  # Off loopback passwords cross the network readable without TLS:
  #tls { cert_file: "${folder}/server.crt", key_file: "${folder}/server.key" }
  # QoS 1 messages that may be on their way for one subscription.
  max_ack_pending: 1000
}
include "users.conf"
`

const usersOf = ({
  fleet,
  users,
}: BrokerPlan): string => `# Skein, fleet ${fleet}: users with their passwords. Nobody else may read this file.
authorization {
  users: [
${users.map(userOf).join('\n')}
  ]
}
`

const userOf = ({ subject, role, password, publish, subscribe }: BrokerUser): string => `    # ${role}
    {
      user: "${subject}", password: "${password}", allowed_connection_types: ["MQTT"]
      permissions: {
        publish: { allow: [${publish.flatMap(subjectsOf).map(quoted).join(', ')}] }
        subscribe: { allow: [${[...subscribe.flatMap(subjectsOf), ownSubscriptions].map(quoted).join(', ')}] }
      }
    }`

/** By this the server hands QoS 1 messages to a client; their own subjects have been checked before. */
const ownSubscriptions = '$MQTT.sub.>'

/** An MQTT filter as NATS subjects: `a/#` takes `a` as well, `a.>` does not. */
const subjectsOf = (filter: string): string[] => {
  const subject = filter.replaceAll('/', '.').replaceAll('+', '*')
  return subject.endsWith('.#') ? [subject.slice(0, -2), `${subject.slice(0, -1)}>`] : [subject]
}

const quoted = (text: string): string => `"${text}"`
