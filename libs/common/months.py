"""Tables that grow for ever are kept in months: one SQL function per schema makes them ahead and drops the oldest.

The function runs as the schema's owner, so that the loops, which may not change tables, can keep months made.
"""

from datetime import date

INBOX_MONTHS = 14
"""How far back the inbox remembers: 400 days, counted in whole months."""
AHEAD = 3

_FUNCTION = """
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


def month_functions(schema: str) -> list[str]:
    """The DDL for one schema: the function, its first run, and who may call it."""
    return [
        _FUNCTION.format(schema=schema, back=INBOX_MONTHS, ahead=AHEAD),
        f"revoke all on function {schema}.keep_months() from public",
        f"grant execute on function {schema}.keep_months() to {schema}_loop",
        f"select {schema}.keep_months()",
    ]


def first_of_month(day: date, back: int = 0) -> date:
    """The first of the month that lies `back` months before this day's."""
    count = day.year * 12 + day.month - 1 - back
    return date(count // 12, count % 12 + 1, 1)
