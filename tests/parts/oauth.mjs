// A real authorization server for tests: authorization code with PKCE required, refresh tokens that work once and whose
// reuse ends the whole grant, client credentials, and access tokens that live three seconds.
//
// Environment: OAUTH_CLIENT, OAUTH_SECRET, OAUTH_REDIRECT (where people are sent back to).
// Standard output, one JSON object a line: first {"ready": {"port"}}, then {"token": {grant, status}} for every answer of
// the token address.
// Its sign-in and consent pages are forms that any name and password pass, as its `devInteractions` has them.
// The process ends when its standard input closes, so that it never outlives the test that started it.

import http from 'node:http';
import Provider from 'oidc-provider';

const { OAUTH_CLIENT, OAUTH_SECRET, OAUTH_REDIRECT } = process.env;
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
// What the library has to say about being a development set-up is for people.
console.info = console.warn = () => {};

const server = http.createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address();

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: OAUTH_CLIENT,
      client_secret: OAUTH_SECRET,
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      redirect_uris: [OAUTH_REDIRECT],
      response_types: ['code'],
      // Redirects to loopback are for programs at a desk, says the library; the test is one.
      application_type: 'native',
      token_endpoint_auth_method: 'client_secret_basic',
    },
  ],
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `The ${id}`, email: `${id}@example.com` }),
  }),
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    userinfo: { enabled: true },
  },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async (_context, client, code) =>
    client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
  ttl: { AccessToken: 3, ClientCredentials: 3, RefreshToken: 3600, AuthorizationCode: 60, Interaction: 600, Session: 600, Grant: 3600 },
  cookies: { keys: ['a key of a test'] },
});

provider.use(async (context, next) => {
  await next();
  if (context.path === '/token') {
    say({ token: { grant: context.oidc?.params?.grant_type ?? null, status: context.status } });
  }
});

server.on('request', provider.callback());
say({ ready: { port } });

process.stdin.resume().on('end', () => process.exit(0));
