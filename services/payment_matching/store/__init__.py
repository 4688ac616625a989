"""Questions asked of the matching schema, one function each, sets in and sets out. Nothing here commits.

books        pages locked and written           items       what invoices and credit notes say
debtors      accounts, payers and identities    payments    money received, told once or several times
candidates   what may be paid by what           statements  files, entries and how far a feed reaches
lists        what people and other services read
"""
