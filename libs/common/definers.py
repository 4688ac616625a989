"""The SQL functions of a schema that run as its owner, so that doors and loops can do two things they may not.

keep_months      the tables that grow for ever are kept in months: made ahead, the inbox's oldest dropped
outbox_waiting   how many events wait for the broker, over all tenants, counted no further than asked
"""

INBOX_MONTHS = 14
"""How far back the inbox remembers: 400 days, counted in whole months."""
AHEAD = 3

_KEEP_MONTHS = """
create or replace function {schema}.keep_months() returns void
language plpgsql security definer set search_path = {schema}, pg_temp
as $$
declare
  this date := date_trunc('month', now())::date;
  month date;
  part text;
  old record;
begin
  perform pg_advisory_xact_lock(hashtext('{schema}.keep_months'));
  for shift in -{back}..{ahead} loop
    month := this + make_interval(months => shift);
    foreach part in array case when shift < -1 then array['inbox'] else array['inbox', 'outbox_archive'] end loop
      if to_regclass(part || to_char(month, '_YYYY_MM')) is null then
        execute format('create table %I partition of %I for values from (%L) to (%L)',
                       part || to_char(month, '_YYYY_MM'), part, month, month + interval '1 month');
        execute format('alter table %I enable row level security, force row level security',
                       part || to_char(month, '_YYYY_MM'));
      end if;
    end loop;
  end loop;
  for old in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'inbox'::regclass
       and c.relname < 'inbox' || to_char(this - make_interval(months => {back}), '_YYYY_MM')
  loop
    execute format('drop table %I', old.relname);
  end loop;
end
$$
"""


_OUTBOX_WAITING = """
create or replace function {schema}.outbox_waiting(most bigint) returns bigint
language sql stable security definer set search_path = {schema}, pg_temp
as $$
  select case when (select max(seq) - min(seq) from outbox) < most / 2
              then (select coalesce(max(seq) - min(seq) + 1, 0) from outbox)
              else (select count(*) from (select from outbox limit most) as counted) end
$$
"""


def owner_functions(schema: str) -> list[str]:
    """The DDL for one schema: the functions, who may call them, and the first months."""
    return [
        _KEEP_MONTHS.format(schema=schema, back=INBOX_MONTHS, ahead=AHEAD),
        f"revoke all on function {schema}.keep_months() from public",
        f"grant execute on function {schema}.keep_months() to {schema}_loop",
        _OUTBOX_WAITING.format(schema=schema),
        f"revoke all on function {schema}.outbox_waiting(bigint) from public",
        f"grant execute on function {schema}.outbox_waiting(bigint) to {schema}_api, {schema}_loop",
        f"select {schema}.keep_months()",
    ]
