"""What `--help` says at its end: examples, and exit codes."""

EPILOG = """\
examples:
  triochat server 9999                            open a room
  triochat client 9999                            join it from this machine
  triochat client 192.168.1.7 9999                or from another one
  triochat send 9999 --handle cron "backup done"  say one thing
  triochat tail 9999 --handle log --json          print what is said

"triochat COMMAND --help" tells more about each.
"""

SERVER = """\
examples:
  triochat server 9999                          on this machine only
  triochat server 9999 --host 0.0.0.0           for other machines too
  triochat server 9999 --history room.history   keep what is said, in a file
  triochat server 0 --headless --log-file log   any free port, no operator
  triochat server 9999 --redis redis://db --name pub   one of several servers

Other machines are invited to an encrypted room. The key for that is made once,
and kept; read --tls-cert for one of your own. The password is in a file, or in
TRIOCHAT_PASSWORD; the file counts if there are both.

Servers that are given the same Redis and the same --name are one room. All
have the same password, --handle, --max-clients, --handle-length, --turns,
--burst, --rate, --idle, --replay, --grace and --hold, or do not start. Where
the URL has a password, --redis-file or TRIOCHAT_REDIS hide it from ps.

A terminal on standard input is the operator's, where \\help lists how to put
somebody out, and to keep them out; --state remembers that. Without one the
server only shows, with times, and forwards. Ctrl-C or SIGTERM says good-bye to
everybody and ends it; after SIGTERM terminals come back as soon as there is a
server. How to run it as a service is in docs/operating.md.

exit codes:
  0  stopped as asked
  1  it cannot listen there, cannot log, or cannot use the certificate or the
     password file, or the file of --state or --history; or it cannot share the
     room, or not any more
  2  wrong arguments
  130 a second Ctrl-C
"""

CLIENT = """\
examples:
  triochat client 9999
  triochat client 192.168.1.7 9999 --handle Jimmy
  triochat client fd00::7 9999
  triochat client one.example:9999 --also two.example:9999
  tail -f deploy.log | triochat client 9999 --handle deploybot

What is said to other machines is encrypted. The first time the server's key
is shown and remembered; --fingerprint says whom to expect, "triochat forget"
takes another key. On this machine, and with --insecure, it is not encrypted.

A room may have a password. Where neither --password-file nor the variable
TRIOCHAT_PASSWORD says it, it is asked for, three times; a pipe is refused.

\\help in the room lists what can be typed there. Where standard input is no
terminal each of its lines is a message; see also "triochat send" and "tail".

exit codes:
  0  all went well
  1  it could not be done, or not all was delivered; also Ctrl-C while it tries
     to come back to a server that is lost
  2  wrong arguments
  3  what answers has another key than it had, or than --fingerprint says
  130 Ctrl-C, 143 SIGTERM
"""

SEND = """\
examples:
  triochat send 192.168.1.7 9999 --handle cron "backup done"
  triochat send 9999 --handle cron --to Ann -- "$MESSAGE"
  df -h | triochat send 9999 --handle df || echo "not delivered"

A first word that is a port, or ends in ":" and a number, is the whole address;
else it is HOST, and the next word PORT. All other words are TEXT.

Each line of standard input is a message as it stands; blank ones are skipped.
Put -- before a TEXT that may start with "-". Nothing is printed but problems,
on standard error; after a line that is refused the others are still sent.

exit codes:
  0  the server has confirmed every message
  1  it could not be done (for example, no triochat server answers there)
  2  wrong arguments
  3  unreachable: nobody listens there, the host is not known, or what answers
     has another key than it had, or than --fingerprint says
  4  refused: the handle, the password, or at least one message
  5  lost: the connection ended, or a confirmation took too long
  130 Ctrl-C, 143 SIGTERM
"""

TAIL = """\
examples:
  triochat tail 192.168.1.7 9999 --handle log
  triochat tail 9999 --handle bot --json | jq --unbuffered -r .text
  triochat tail 9999 --handle bot --count 1

It prints public messages ("Ann> hi", "* Ann waves"), whispers to it ("[Ann ->
you] psst"), and what operators do ("* Ann was muted by Server", which does not
count), each at once. It ends after N messages, when the server closes, and
when nobody reads its output any more.

exit codes:
  0  ended as above
  1  it could not be done (for example, no triochat server answers there)
  2  wrong arguments
  3  unreachable: nobody listens there, the host is not known, or what answers
     has another key than it had, or than --fingerprint says
  4  refused: the handle, or the password
  5  lost: the connection ended without a good-bye
  130 Ctrl-C, 143 SIGTERM
"""

FORGET = """\
examples:
  triochat forget 192.168.1.7 9999
  triochat forget chat.example.org:9999

The first time that a server is met, its key is remembered; one that shows
another key later is not talked to. Forget the old one if you know why.

exit codes:
  0  forgotten
  1  nothing was remembered of it, or what is cannot be read or written
  2  wrong arguments
"""

HISTORY = """\
examples:
  triochat history room.history --last 20
  triochat history room.history --find "deploy failed" --since 2d
  triochat history room.history --from Ann --json | jq -r .text

It prints what was said to everybody ("2026-01-02 21:07:05 Ann> hi"), the
oldest first, with the times of this machine; also while a server writes to
FILE. Whispers are not shown. Each word that is looked for must begin a word of
the message, whatever its case and accents.

exit codes:
  0  printed, also if there was nothing to print
  1  FILE cannot be read, or is not the history of a room
  2  wrong arguments
"""

COMPLETION = """\
examples:
  triochat completion zsh > "${fpath[1]}/_triochat"
  triochat completion fish > ~/.config/fish/completions/triochat.fish
  triochat completion bash \\
    > ~/.local/share/bash-completion/completions/triochat

It needs shtab: pip install 'triochat[completion]'

exit codes:
  0  printed
  1  shtab is not installed, or too old
  2  wrong arguments
"""
