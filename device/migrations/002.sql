-- What a program writes lies in the spool, with all that it takes to number it.
delete from record where stream like 'log:%';
alter table run drop column out_bytes;
alter table run drop column err_bytes;
alter table run drop column over_lines;
alter table run drop column over_bytes;
