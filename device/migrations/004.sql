-- The same instant as `retry_at` on the kernel's monotonic clock, and the boot that it counts from: the wall clock may be set while something waits.
alter table workload add column retry_mono integer;
alter table workload add column retry_boot text;
