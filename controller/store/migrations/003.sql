-- A task that is removed takes its tags along: they are found by the task.
create index task_tag_of on task_tag (n);
