-- What a device must not forget. Instants are milliseconds since 1970; `mono` is the kernel's clock, good within one boot.
create table meta (
  key text primary key,
  value text not null
) strict, without rowid;

-- Every run this device was ever told of, as long as an old command for it could still arrive.
create table run (
  run_id text primary key,
  task_id text,
  attempt integer not null,
  state text not null,
  orders text not null,                 -- as they came, JSON
  boot text not null,
  accepted_at integer not null,
  heard_mono integer not null,          -- the controller counts its silence from here, or from a later heartbeat
  started_mono integer,
  ended_at integer,
  result text,                          -- how it ended, as it was told, JSON
  stop_for text,                        -- why it is being stopped, which decides how it ends
  out_bytes integer not null default 0, -- how far each stream is in the log
  err_bytes integer not null default 0,
  log_seq integer not null default 0,
  lines integer not null default 0,
  bytes integer not null default 0,
  dropped_lines integer not null default 0,
  dropped_bytes integer not null default 0,
  over_lines integer not null default 0, -- dropped beyond the output limit and not marked in the log yet
  over_bytes integer not null default 0,
  done integer not null default 0       -- all of it is acknowledged
) strict, without rowid;
create index run_open on run (run_id) where done = 0;

-- What has not been acknowledged yet, numbered within its stream.
create table record (
  stream text not null,
  seq integer not null,                 -- of a log chunk: the last that it covers
  first integer not null,
  lines integer not null,
  bytes integer not null,               -- of the program's output
  size integer not null,                -- of the body
  body text not null,                   -- JSON
  primary key (stream, seq)
) strict, without rowid;

create table stream (
  name text primary key,
  last integer not null,
  acked integer not null
) strict, without rowid;
