-- Who a device is, and what people say of it.
alter table device add column own_labels text not null default '{}'; -- put on it by people, JSON; they win over those that it gives itself
alter table device add column sign_key text;                          -- its public keys, as JWK: what it signs with,
alter table device add column seal_key text;                          -- and what is sealed to

-- How many devices a join token lets in; null for every other token.
alter table token add column uses integer;

-- What a join token was used for. The reply is given again to the same key until its device has connected.
create table joining (
  jti text not null,
  key text not null,                    -- thumbprint of the device's key
  device text not null,
  reply text,                           -- sealed to the device; null once it has connected
  at integer not null,
  primary key (jti, key)
) strict, without rowid;
create index joining_device on joining (device) where reply is not null;
