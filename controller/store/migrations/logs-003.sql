-- What retention removed is not fetched from its device again; what was lost is.
alter table log add column removed integer not null default 0;
update log set removed = 1 where last_seq > 0 and not exists (select 1 from chunk where chunk.log = log.id);
