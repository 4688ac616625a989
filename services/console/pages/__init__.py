"""The finance team's pages: HTML made on the server, in French and English; nothing needs a script to work.

web         rendering: templates, texts, formats, security headers
guard       who is signed in, and that a form came from a page of ours
signing     signing in and out, language and theme
operations  the state of the stack and of the work, in figures
"""
