-- The workloads of this device, as they were last applied, and how they stand: they hold without a controller. Instants are milliseconds since 1970.
create table workload (
  name text primary key,
  origin text not null,                 -- local, or the release that it belongs to
  file text,                            -- of a local one: where it was read
  spec text not null,                   -- JSON, checked
  digest text not null,                 -- of the spec
  applied_at integer not null,
  is_wanted integer not null,           -- 0 once somebody has stopped it by hand
  state text not null,
  reason text,
  run_count integer not null default 0, -- since it was applied or begun anew
  successes integer not null default 0,
  failures integer not null default 0,  -- in a row
  recent text not null default '[]',    -- how long each run of that row lasted, in milliseconds
  retry_at integer,                     -- the next start after a wait
  last_slot integer,                    -- up to here the schedule has been dealt with
  last_exit_code integer,
  last_error text,
  last_started_at integer,
  last_ended_at integer
) strict, without rowid;

-- What was given to apply: a reload reads it again.
create table workload_source (path text primary key) strict, without rowid;

create table workload_run (
  run_id text primary key,
  workload text not null,
  cause text not null,                  -- start, restart, firing, missed, manual
  slot integer,                         -- the instant of the schedule that it stands for
  state text not null,                  -- accepted, running, or how it ended
  stop_for text,
  reason text,
  exit_code integer,
  signal text,
  boot text not null,
  accepted_at integer not null,
  started_at integer,
  started_mono integer,
  ended_at integer
) strict, without rowid;
create index workload_run_of on workload_run (workload, accepted_at);
create index workload_run_open on workload_run (workload) where ended_at is null;
-- Nothing fires twice for one instant, whatever happens in between.
create unique index workload_run_slot on workload_run (workload, slot) where slot is not null;
