"""People who sign in: their accounts, their passwords and their sessions.

passwords   how a password is kept and compared
lookup      accounts and sessions before the tenant is known
users       accounts and their roles
sessions    signing in, staying in, going out
"""
