-- What came of a run that was an agent's: JSON, as its device has told it.
alter table run add column agent text;
create index run_of_agent on run (ended_at) where agent is not null;

-- What agents want to do and may not do without somebody's word. Instants are milliseconds since 1970.
create table approval (
  approval_id text primary key,
  device text not null,
  run_id text not null,
  task_id text,                         -- none if the run is of a workload
  state text not null,                  -- pending, approved, rejected, expired, withdrawn: as the device has it
  tool text not null,
  title text not null,
  input text not null,                  -- JSON
  requested_at integer not null,
  expires_at integer not null,
  verdict text,                         -- what was answered, from then on until the device has it and afterwards
  decided_by text,
  decided_reason text,
  decided_at integer
) strict, without rowid;
create index approval_open on approval (device) where state = 'pending';
create index approval_age on approval (requested_at);
