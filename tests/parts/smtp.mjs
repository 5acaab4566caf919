// A real mail server for tests: STARTTLS, implicit TLS, and one that offers no TLS at all, each on a free loopback port.
//
// Environment: SMTP_USER, SMTP_PASSWORD, SMTP_CERT and SMTP_KEY (PEM files).
// Standard output, one JSON object a line: first {"ready": {"starttls", "implicit", "plain"}} with the ports, then
// {"auth": {...}} for every sign-in tried and {"message": {...}} for every message accepted.
// Recipients whose local part is `rejected` get 550, `later` 450; a message to `full` gets 552 after its final dot.
// The process ends when its standard input closes, so that it never outlives the test that started it.

import { readFileSync } from 'node:fs';
import { SMTPServer } from 'smtp-server';

const { SMTP_USER, SMTP_PASSWORD, SMTP_CERT, SMTP_KEY } = process.env;
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const reply = (code, text) => Object.assign(new Error(text), { responseCode: code });
const localPart = (address) => address.slice(0, address.lastIndexOf('@'));

const handlers = (listener) => ({
  onAuth(auth, session, done) {
    const accepted = auth.username === SMTP_USER && auth.password === SMTP_PASSWORD;
    say({ auth: { listener, method: auth.method, user: auth.username, accepted, secure: session.secure } });
    if (!accepted) return done(reply(535, '5.7.8 Wrong user or password'));
    done(null, { user: auth.username });
  },
  onRcptTo(address, _session, done) {
    const local = localPart(address.address);
    if (local === 'rejected') return done(reply(550, '5.1.1 No such mailbox'));
    if (local === 'later') return done(reply(450, '4.2.1 Mailbox busy'));
    done();
  },
  onData(stream, session, done) {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => {
      const recipients = session.envelope.rcptTo.map(({ address }) => address);
      if (recipients.some((address) => localPart(address) === 'full')) {
        return done(reply(552, '5.2.2 Mailbox full'));
      }
      say({
        message: {
          listener,
          secure: session.secure,
          user: session.user ?? null,
          from: session.envelope.mailFrom.address,
          to: recipients,
          data: Buffer.concat(chunks).toString('latin1'),
        },
      });
      done(null, 'Message accepted');
    });
  },
});

const common = {
  key: readFileSync(SMTP_KEY),
  cert: readFileSync(SMTP_CERT),
  authOptional: true,
  disableReverseLookup: true,
  closeTimeout: 100,
};

const servers = {
  starttls: new SMTPServer({ ...common, ...handlers('starttls') }),
  implicit: new SMTPServer({ ...common, ...handlers('implicit'), secure: true }),
  // What a client sees when someone on the way strips STARTTLS: sign-in is offered in the clear.
  plain: new SMTPServer({ ...common, ...handlers('plain'), hideSTARTTLS: true, allowInsecureAuth: true }),
};

const listen = async (server) => {
  // A client that hangs up in the middle (an unknown certificate, say) is part of the tests.
  server.on('error', () => {});
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server.server.address().port;
};

const ready = {};
for (const [name, server] of Object.entries(servers)) ready[name] = await listen(server);
say({ ready });

process.stdin.resume().on('end', () => process.exit(0));
