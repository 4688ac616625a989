-- A tenant with a million invoices, set-based; each statement is given those parameters that it names.

insert into debtor (tenant_id, debtor_id, version, entity_id, external_id, name, party_id, payer_id, country,
                      language, profile, collector, sales_owner, contacts)
  select :tenant, md5('d' || n)::uuid, 1, :entity, 'C' || lpad(n::text, 6, '0'), 'Maison ' || n, md5('d' || n)::uuid,
         md5('d' || n)::uuid, 'FR', 'fr', (array['good','regular','slow','strategic','public_body'])[1 + n % 5],
         'Responsable ' || n % 8, 'Commercial ' || n % 12, '[]'
    from generate_series(1, cast(:customers as int)) n;

create temporary table made on commit drop as
  select n, md5('i' || n)::uuid as id, md5('d' || (1 + (n * 7919) % :customers))::uuid as debtor,
         current_date - (n % 400)::int as issued, 5000 + (n * 104729) % 900000 as minor,
         n <= :open as owes, now() - make_interval(days => (n % 400)::int) as at
    from generate_series(1, cast(:invoices as bigint)) n;

insert into invoice (tenant_id, invoice_id, version, entity_id, debtor_id, payer_id, number, issue_date, currency,
                       payable, due_source, payment_means, not_chased, told_at, changed_at)
  select :tenant, id, 1, :entity, debtor, debtor, 'F' || lpad(n::text, 7, '0'), issued, 'EUR', minor, 'structured',
         'transfer', '[]', at, at from made;

insert into item (tenant_id, item_id, told_version, item_version, invoice_id, entity_id, debtor_id, payer_id,
                    sequence, issue_date, due_date, currency, amount, residual, told_at, moved_at)
  select :tenant, md5('t' || n)::uuid, 1, case when owes then -1 else 1 end, id, :entity, debtor, debtor, 1, issued,
         issued + 45, 'EUR', minor, case when owes then null else 0 end, at,
         case when owes then null else least(at + interval '40 days', now()) end from made;

insert into telling (tenant_id, invoice_id, version, at, entity_id, debtor_id, issue_date, currency, payable, items)
  select :tenant, id, 1, at, :entity, debtor, issued, 'EUR', minor,
         jsonb_build_array(jsonb_build_array(md5('t' || n), (issued + 45)::text, minor)) from made;

insert into move (tenant_id, item_id, item_version, "on", residual, at)
  select :tenant, md5('t' || n)::uuid, 1, least(issued + 40, current_date), 0, least(at + interval '40 days', now())
    from made where not owes;

insert into payment (tenant_id, payment_id, version, entity_id, payer_id, currency, amount, unapplied, value_date,
                       state, how, told_at)
  select :tenant, md5('p' || n)::uuid, 2, :entity, debtor, 'EUR', minor, case when n % 300 = 0 then minor else 0 end,
         least(issued + 40, current_date), 'matched', 'auto', at from made where not owes;

insert into activity (tenant_id, event_id, at, type, entity_id, payer_id, debtor_id, subject_id, currency, amount,
                        facts)
  select :tenant, md5('a' || n)::uuid, at, 'InvoiceIssued', :entity, debtor, debtor, id, 'EUR', minor,
         jsonb_build_object('number', 'F' || lpad(n::text, 7, '0')) from made;

insert into reminder (tenant_id, reminder_id, version, entity_id, case_id, payer_id, party_id, kind, step_key, tone,
                        approval, lines, line_count, oldest_due, currency, total, due_at)
  select :tenant, md5('r' || n)::uuid, 1, :entity, md5('c' || n)::uuid, md5('d' || n)::uuid, md5('d' || n)::uuid,
         'reminder', 'firm', 3, 'confirm', '[]', 3, current_date - 40, 'EUR', 120000, now()
    from generate_series(1, cast(:queue as int)) n;

insert into notice (tenant_id, notice_id, version, reminder_id, entity_id, case_id, payer_id, kind, state, tone,
                      covers, told_at)
  select :tenant, md5('n' || n)::uuid, 1, md5('r' || n)::uuid, :entity, md5('c' || n)::uuid, md5('d' || n)::uuid,
         'reminder', 'proposed', 3, '[]', now() from generate_series(1, cast(:queue as int)) n;

insert into notice (tenant_id, notice_id, version, reminder_id, entity_id, case_id, payer_id, kind, state, tone,
                      covers, sent_at, told_at)
  select :tenant, md5('f' || n)::uuid, 2, md5('g' || n)::uuid, :entity, md5('c' || n)::uuid, i.payer_id,
         'formal_notice', 'sent', 5, jsonb_build_array(jsonb_build_object('item_id', i.item_id, 'tone', 5)),
         now() - interval '40 days', now() - interval '40 days'
    from generate_series(1, cast(:formal as int)) n
    join item i on i.tenant_id = :tenant and i.item_id = md5('t' || n)::uuid;

insert into task (tenant_id, task_id, opened_version, entity_id, case_id, payer_id, kind, due_on, opened_at)
  select :tenant, md5('k' || n)::uuid, 1, :entity, md5('c' || n)::uuid, md5('d' || n)::uuid, 'call', current_date,
         now() from generate_series(1, cast(:calls as int)) n;

insert into promise (tenant_id, promise_id, made_version, entity_id, case_id, payer_id, currency, amount,
                       promised_for, items, made_at)
  select :tenant, md5('m' || n)::uuid, 1, :entity, md5('c' || n)::uuid, md5('d' || n)::uuid, 'EUR', 90000,
         current_date - n % 9, '[]', now() from generate_series(1, cast(:promised as int)) n;

insert into hold (tenant_id, hold_id, placed_version, entity_id, scope, scope_id, payer_id, kind, review_on, placed_at)
  select :tenant, md5('h' || n)::uuid, 1, :entity, 'payer', md5('d' || n)::uuid, md5('d' || n)::uuid, 'manual',
         current_date + 20, now() from generate_series(1, cast(:held as int)) n;

insert into dispute (tenant_id, dispute_id, opened_version, entity_id, case_id, payer_id, item_id, currency, amount,
                       reason, opened_at)
  select :tenant, md5('x' || n)::uuid, 1, :entity, md5('c' || n)::uuid, md5('d' || n)::uuid, md5('t' || n)::uuid, 'EUR',
         45000, 'quantity', now() from generate_series(1, cast(:disputed as int)) n;

insert into mark (tenant_id, invoice_id, event_id) select :tenant, id, id from made;
