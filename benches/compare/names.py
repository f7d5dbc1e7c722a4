"""Whether two tools mean the same software by two names.

Every tool has its own: 'Postfix' and 'Postfix smtpd', 'Microsoft IIS FTP' and 'Microsoft ftpd'. Two names are taken for the
same where they share one word that is not a common one; software, vendor and device all count for the truth. That is
generous: a scanner that names only the vendor is right. `run --keep` lists every name that is taken for wrong.
"""

import re

# Words that say what a program is for, not which it is.
COMMON = set(
    "and by corporation daemon email esmtp exchanger for ftp ftps ftpd gateway gmbh inc internet lmtp ltd mail mailer mailserver"
    " mta of on or printer proxy router sanitized secure server service smtp smtpd software switch system systems the tls"
    " transfer unix unknown version with".split()
)

# What one tool calls otherwise, word for word.
SAME = {
    "netqmail": "qmail",
    "hewlett": "hp",
    "knftpd": "proftpd",
}


def is_same(called, true):
    return bool(words(called) & words(true))


def words(name):
    found = re.findall(r"[^\W_]+", name.lower())
    return {SAME.get(word, word) for word in found} - COMMON
