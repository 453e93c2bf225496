-- Records are kept as the bytes that came; `at` is the instant of the first, milliseconds since 1970.
create table chunk_of_bytes (
  log integer not null references log (id) on delete cascade,
  last integer not null,                -- sequence numbers covered: first to last
  first integer not null,
  at real not null,
  records blob not null,                -- JSON in UTF-8, not looked into before it is read
  primary key (log, last)
) strict, without rowid;
insert into chunk_of_bytes (log, last, first, at, records) select log, last, first, 0, cast(records as blob) from chunk;
drop table chunk;
alter table chunk_of_bytes rename to chunk;
