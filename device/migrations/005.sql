-- What this device is to run, as its controller has signed it last. An older word counts no more.
create table desired (
  id integer primary key check (id = 1),
  revision integer not null,
  epoch integer not null,
  text text not null                    -- the document, JSON
) strict;

-- How far this device is with each release. Instants are milliseconds since 1970, by the controller's clock.
create table release (
  name text primary key,
  wanted text,                          -- as the document says, JSON; null once nothing of it is wanted
  active text,                          -- what its workloads were made from, the same form
  verdict text,                         -- on what is active: healthy, failed, or null as long as there is none
  previous text,                        -- what to go back to; null for nothing
  state text not null,
  reason text,
  since integer not null,
  went_back integer not null default 0,
  settling_mono integer,                -- since when it is judged, on the kernel's monotonic clock, and the boot that it counts from
  settling_boot text,
  failed_ends text not null default '{}' -- how often its workloads have ended in failure since then, JSON
) strict, without rowid;

-- Folders of releases that were found whole, and in which boot: after another one they are looked at again before they are used.
create table release_folder (
  digest text primary key,
  boot text not null
) strict, without rowid;
