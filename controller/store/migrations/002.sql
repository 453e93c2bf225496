-- What has ended, by age: for retention, and to count it without reading the tasks.
create index task_ended on task (ended_at, state) where ended_at is not null;
