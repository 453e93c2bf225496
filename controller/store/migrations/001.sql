-- What the controller knows. Instants are milliseconds since 1970.
create table meta (
  key text primary key,
  value text not null
) strict, without rowid;

create table task (
  n integer primary key,                -- order of acceptance
  task_id text not null unique,
  state text not null,
  reason text,
  type text not null,
  rank integer not null,                -- of its priority; 0 is served first
  source text not null,
  requested_by text not null,
  repository text,
  target_device text,
  device text,                          -- of its last run
  body text not null,                   -- as submitted, JSON
  idempotency_key text,
  fingerprint text not null,            -- of the body, to tell a repetition from a conflict
  retry_of text,
  attempt integer not null default 0,   -- runs so far
  open integer not null,                -- parts that have not ended: 1, or one for each device of a fan-out
  worst text,                           -- of a fan-out: the worst end of a part so far
  exit_code integer,
  created_at integer not null,
  started_at integer,
  ended_at integer,
  cancel_requested_at integer
) strict;
create unique index task_key on task (requested_by, idempotency_key) where idempotency_key is not null;
create index task_target on task (target_device) where target_device is not null;
create index task_open on task (state, n) where ended_at is null;

create table task_tag (
  tag text not null,
  n integer not null references task (n) on delete cascade,
  primary key (tag, n)
) strict, without rowid;

-- What waits for a device. A row leaves when it is dispatched.
create table queue (
  id integer primary key,               -- age
  task_id text not null,
  lane text not null,                   -- which devices may take it: '*', '=name' or '?selector'
  rank integer not null,
  tries integer not null,               -- runs of this part so far
  due_at integer,                       -- a retry waits until then
  expires_at integer                    -- must have started before
) strict;
create index queue_ready on queue (lane, rank, id) where due_at is null;
create index queue_due on queue (due_at) where due_at is not null;
create index queue_expiry on queue (expires_at) where expires_at is not null;
create index queue_task on queue (task_id);

create table run (
  run_id text primary key,
  task_id text not null,
  attempt integer not null,
  device text not null,
  journal text,                         -- the device's memory when it was dispatched
  lane text not null,                   -- where a retry of this part waits
  tries integer not null,               -- which run of its part this is: 1, 2, …
  state text not null,
  reason text,
  exit_code integer,
  signal text,
  dispatched_at integer not null,
  accepted_at integer,
  started_at integer,
  ended_at integer,
  cancel_requested_at integer,
  confirmed integer,                    -- of a cancel: 0 until the device says that the processes are gone
  start_before integer,
  log text,                             -- how much output there was, JSON
  late text                             -- what the device said after the end, JSON
) strict, without rowid;
create index run_task on run (task_id, attempt);
create index run_device on run (device);
create index run_open on run (device) where ended_at is null or confirmed = 0;

-- What cannot be told from the times in task and run: unknown and back, retries, refusals.
create table note (
  n integer primary key,
  task_id text not null,
  run_id text,
  at integer not null,
  state text not null,
  reason text
) strict;
create index note_task on note (task_id);

create table device (
  name text primary key,
  joined_at integer not null,
  journal text,
  session integer not null default 0,
  cursor integer not null default 0,    -- of the stream "runs" of this journal
  labels text not null default '{}',
  capacity integer not null default 0,
  version text,
  last_seen_at integer,
  drained integer not null default 0,
  removed integer not null default 0
) strict, without rowid;

-- Journals that a device no longer has: what comes under such a name is old.
create table retired_journal (
  device text not null,
  journal text not null,
  primary key (device, journal)
) strict, without rowid;

create table token (
  jti text primary key,
  subject text not null,
  role text not null,
  hash text not null,
  created_at integer not null,
  expires_at integer not null,
  revoked_at integer,
  last_used_at integer
) strict, without rowid;
create index token_subject on token (subject);
