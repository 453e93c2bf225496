-- Releases, and what devices are to run. Instants are milliseconds since 1970.
create table release (
  n integer primary key,                -- rises: the newest is the greatest
  name text not null,
  version text not null,
  digest text not null,                 -- SHA-256 of its manifest
  bundle text not null,                 -- JSON: sha256, size, unpacked_bytes, url
  workloads text not null,              -- JSON: their names
  files integer not null,
  created_at integer not null,
  created_by text not null,
  unique (name, version)
) strict;

-- One release on one device, as the device is told.
create table desired (
  device text not null,
  name text not null,
  entry text not null,                  -- JSON
  primary key (device, name)
) strict, without rowid;
-- Stays when a device leaves: one that comes back must not be told a lower one than it has seen.
create table desired_revision (
  device text primary key,
  revision integer not null
) strict, without rowid;

create table deployment (
  n integer primary key,
  deployment_id text not null unique,
  name text not null,
  version text not null,
  digest text not null,
  state text not null,
  rollout text not null,                -- JSON: how far it is, without its devices
  target text not null,                 -- JSON
  env text not null,                    -- JSON
  created_at integer not null,
  created_by text not null,
  ended_at integer,
  idempotency_key text,
  body_hash text not null,
  unique (created_by, idempotency_key)
) strict;
create index deployment_state on deployment (state);

create table deployment_device (
  deployment_id text not null,
  n integer not null,                   -- its turn
  device text not null,
  state text not null,
  body text not null,                   -- JSON: how far it is
  previous text,                        -- JSON: what it was told to run before, from the moment that it was touched; 'null' for nothing
  revision integer,                     -- what it was told with
  primary key (deployment_id, device)
) strict, without rowid;
create index deployment_of_device on deployment_device (device);

create table deployment_history (
  deployment_id text not null,
  at integer not null,
  state text not null,
  reason text,
  by text
) strict;
create index deployment_history_of on deployment_history (deployment_id);
