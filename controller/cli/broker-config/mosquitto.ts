import { pbkdf2Sync, randomBytes } from 'node:crypto'
import type { BrokerKind, BrokerPlan, BrokerUser } from './kind.ts'

/** Mosquitto 2: a configuration, a password file and an access list. */
export const mosquitto: BrokerKind = {
  files: (plan) => [
    { name: 'mosquitto.conf', owner: 'yours', text: configOf(plan) },
    { name: 'passwd', owner: 'ours', text: plan.users.map((user) => `${user.subject}:${hashOf(user.password)}\n`).join('') },
    { name: 'acl', owner: 'ours', text: `# Skein, fleet ${plan.fleet}\n${plan.users.map(accessOf).join('')}` },
  ],
  next: ({ folder }) => ({
    start: `chown -R mosquitto: ${folder} && mosquitto -c ${folder}/mosquitto.conf`,
    reload: 'send it SIGHUP',
    login: 'digest',
  }),
}

const configOf = ({
  fleet,
  listen,
  folder,
}: BrokerPlan): string => `# Mosquitto for the Skein fleet "${fleet}". This file is yours: it is not written again.
listener ${listen.port} ${listen.host}
# Off loopback passwords cross the network readable without TLS:
#certfile ${folder}/server.crt
#keyfile ${folder}/server.key

allow_anonymous false
password_file ${folder}/passwd
acl_file ${folder}/acl

# Clients without a client id of their own get one.
allow_zero_length_clientid true
# States, desired states and presence are retained messages.
retain_available true
# Skein keeps what counts in its own databases, its sessions are clean, and what is retained is published again.
persistence false
# An encoded message has at most 128 KiB; topic and header come on top.
message_size_limit 262144
# Many devices report to one controller at a time. What is over the queue's limit is dropped, and sent again by its device.
max_inflight_messages 1000
max_queued_messages 100000
max_queued_bytes 268435456
# Requests and replies are small and should not wait for each other.
set_tcp_nodelay true
`

/** The form of mosquitto_passwd: PBKDF2 with SHA-512. Our passwords are 256 random bits: many rounds would add nothing. */
const hashOf = (password: string): string => {
  const rounds = 101 // mosquitto_passwd's own
  const salt = randomBytes(12)
  const hash = pbkdf2Sync(password, salt, rounds, 64, 'sha512')
  return `$7$${rounds}$${salt.toString('base64')}$${hash.toString('base64')}`
}

const accessOf = ({ subject, role, publish, subscribe }: BrokerUser): string => {
  const both = publish.filter((filter) => subscribe.includes(filter))
  const lines = [
    ...both.map((filter) => `topic readwrite ${filter}`),
    ...publish.filter((filter) => !both.includes(filter)).map((filter) => `topic write ${filter}`),
    ...subscribe.filter((filter) => !both.includes(filter)).map((filter) => `topic read ${filter}`),
  ]
  return `\n# ${role}\nuser ${subject}\n${lines.join('\n')}\n`
}
