-- How busy devices were: a row for each device and hour that it was heard in. It stands here because losing it is no tragedy. By hour
-- first: what is written together and what goes together lies together.
create table device_metrics (
  hour integer not null,                -- since 1970
  device text not null,
  minutes blob not null,                -- the means of 60 minutes, 4 bytes each: processor, memory and disk in percent, temperature + 100; 255 is nothing
  primary key (hour, device)
) strict, without rowid;
