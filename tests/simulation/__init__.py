"""The sending of mails played on a clock and a network of its own: every step may be the last one of its process."""
