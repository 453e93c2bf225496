-- Output of runs, in a database of its own, so that a flood of it delays no result.
create table log (
  id integer primary key,
  source text not null unique,          -- the run
  device text not null,
  journal text not null,
  last_seq integer not null,
  lines integer not null,
  bytes integer not null
) strict;

create table chunk (
  log integer not null references log (id) on delete cascade,
  last integer not null,                -- sequence numbers covered: first to last
  first integer not null,
  records text not null,                -- JSON
  primary key (log, last)
) strict, without rowid;
