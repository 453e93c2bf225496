import type { BrokerKind, BrokerPlan } from './kind.ts'

/** EMQX 5: it reads our tokens and their `acl` claim, so it needs the public key and no users. */
export const emqx: BrokerKind = {
  files: (plan) => [{ name: 'emqx.conf', owner: 'yours', text: configOf(plan) }],
  next: ({ folder }) => ({
    start: `add ${folder}/emqx.conf to EMQX's etc/emqx.conf`,
    reload: 'nothing: new tokens are believed by their signature',
    login: 'token',
  }),
}

const configOf = ({ fleet, listen, publicKeyPem }: BrokerPlan): string => `# EMQX 5 for the Skein fleet "${fleet}".
listeners.tcp.default.bind = "${listen.host}:${listen.port}"
authentication = [
  {
    mechanism = jwt
    # The token is the password; its signature is checked with the fleet's public key.
    from = password
    use_jwks = false
    algorithm = "public-key"
    public_key = """
${publicKeyPem.trim()}
"""
    verify_claims { fleet = "${fleet}", sub = "\${username}" }
    # What the token's claim "acl" (pub, sub) allows, and no more.
    acl_claim_name = acl
    disconnect_after_expire = true
  }
]
authorization {
  no_match = deny
  deny_action = disconnect
  sources = []
}
mqtt {
  # An encoded message has at most 128 KiB; topic and header come on top.
  max_packet_size = 256KB
  max_topic_levels = 10
  retain_available = true
  # Many devices report to one controller at a time.
  max_inflight = 1000
  max_mqueue_len = 100000
}
`
