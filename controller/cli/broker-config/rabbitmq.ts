import { createHash, randomBytes } from 'node:crypto'
import type { BrokerKind, BrokerPlan, BrokerUser } from './kind.ts'

/** RabbitMQ with its MQTT plugin: a configuration, and definitions with users and permissions. */
export const rabbitmq: BrokerKind = {
  files: (plan) => [
    { name: 'rabbitmq.conf', owner: 'yours', text: configOf(plan) },
    { name: 'enabled_plugins', owner: 'yours', text: '[rabbitmq_mqtt].\n' },
    { name: 'definitions.json', owner: 'ours', text: `${JSON.stringify(definitionsOf(plan), null, 1)}\n` },
  ],
  next: ({ folder }) => ({
    start: `RABBITMQ_CONFIG_FILE=${folder}/rabbitmq RABBITMQ_ENABLED_PLUGINS_FILE=${folder}/enabled_plugins rabbitmq-server`,
    reload: `rabbitmqctl import_definitions ${folder}/definitions.json; who is not in it any more stays: rabbitmqctl delete_user NAME`,
    login: 'digest',
  }),
}

const configOf = ({
  fleet,
  listen,
  folder,
}: BrokerPlan): string => `# RabbitMQ for the Skein fleet "${fleet}". This file is yours: it is not written again.
mqtt.listeners.tcp.1 = ${addressOf(listen)}
# Off loopback passwords cross the network readable without TLS:
#mqtt.listeners.ssl.1 = ${addressOf({ ...listen, port: 8883 })}
#ssl_options.certfile = ${folder}/server.crt
#ssl_options.keyfile = ${folder}/server.key

# Only MQTT: by AMQP a user could read the queues of others.
listeners.tcp = none
mqtt.allow_anonymous = false
mqtt.vhost = /
mqtt.exchange = amq.topic
# QoS 1 messages that may be on their way to one client. The usual 10 holds up a controller that hears many devices.
mqtt.prefetch = 1000
definitions.import_backend = local_filesystem
definitions.local.path = ${folder}/definitions.json
`

const addressOf = ({ host, port }: BrokerPlan['listen']): string => (host === '0.0.0.0' ? `:::${port}` : `${host}:${port}`)

const definitionsOf = ({ users }: BrokerPlan) => ({
  vhosts: [{ name: '/' }],
  users: users.map(({ subject, password }) => ({
    name: subject,
    password_hash: hashOf(password),
    hashing_algorithm: 'rabbit_password_hashing_sha256',
    tags: '',
  })),
  // The plugin makes a queue for each client and binds it to the exchange.
  permissions: users.map(({ subject }) => ({
    user: subject,
    vhost: '/',
    configure: '^mqtt-subscription-.*qos[01]$',
    write: '^(amq\\.topic|mqtt-subscription-.*qos[01])$',
    read: '^(amq\\.topic|mqtt-subscription-.*qos[01])$',
  })),
  topic_permissions: users.map(({ subject, publish, subscribe }: BrokerUser) => ({
    user: subject,
    vhost: '/',
    exchange: 'amq.topic',
    write: patternOf(publish),
    read: patternOf(subscribe),
  })),
})

/** Four random bytes before the password, SHA-256, and the four bytes again in front. */
const hashOf = (password: string): string => {
  const salt = randomBytes(4)
  return Buffer.concat([salt, createHash('sha256').update(salt).update(password).digest()]).toString('base64')
}

/**
 * One expression for many filters. It is held against routing keys, where the levels are divided by dots, and against the
 * pattern of a subscription, where `+` is a `*`: one level takes that, but not a `#`, which is wider.
 */
const patternOf = (filters: readonly string[]): string =>
  filters.length === 0 ? '^$' : `^(${filters.map((filter) => filter.split('/').map(levelOf).join('')).join('|')})$`

const levelOf = (level: string, i: number): string => {
  if (level === '#') return '(\\..+)?'
  const dot = i === 0 ? '' : '\\.'
  return dot + (level === '+' ? '[^.#]+' : level)
}
