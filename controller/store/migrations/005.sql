-- The thumbprint of the key that a token is signed with; of those that are older than this column the controller fills it in.
alter table token add column key text not null default '';
