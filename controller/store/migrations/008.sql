-- How many tasks were submitted in each minute is counted without reading the tasks.
create index task_created on task (created_at);
