-- What a device has reported of its workloads last, with journal and sequence number; JSON.
create table device_reported (
  device text primary key,
  body text not null
) strict;
