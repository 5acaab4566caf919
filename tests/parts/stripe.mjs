// Stripe's own library signs webhooks as Stripe would, and says of each whether it would take it.
//
// Environment: STRIPE_SECRET and STRIPE_OTHER (signing secrets), STRIPE_NOW (seconds since 1970).
// Standard output, one JSON object: {"ready": {"deliveries": [{name, body, header, accepted}]}}; `header` is the value of
// Stripe-Signature, absent where there is none. The process ends when its standard input closes.

import Stripe from 'stripe';

const { STRIPE_SECRET: secret, STRIPE_OTHER: other, STRIPE_NOW } = process.env;
const now = Number(STRIPE_NOW);
const { webhooks } = new Stripe('sk_test_unused');

const body = JSON.stringify(
  { id: 'evt_1', object: 'event', type: 'payment_intent.succeeded', data: { object: { id: 'pi_1', amount: 1099, note: 'größe' } } },
  null,
  2,
);
const sign = (options = {}) =>
  webhooks.generateTestHeaderString({ payload: body, secret, timestamp: now, ...options });
const part = (header, scheme) => header.split(',').find((piece) => piece.startsWith(`${scheme}=`));

const accepts = (delivery) => {
  try {
    webhooks.constructEvent(delivery.body, delivery.header ?? '', secret, 300, undefined, now * 1000);
    return true;
  } catch {
    return false;
  }
};

const wrong = part(sign({ secret: other }), 'v1');
const deliveries = [
  { name: 'valid', header: sign() },
  { name: 'just fresh', header: sign({ timestamp: now - 300 }) },
  { name: 'several signatures, the last is right', header: `t=${now},${wrong},${part(sign(), 'v1')}` },
  { name: 'several signatures, the first is right', header: `${sign()},${wrong}` },
  { name: 'another scheme beside', header: `${sign()},v0=${'0'.repeat(64)}` },
  { name: 'another scheme only', header: sign({ scheme: 'v0' }) },
  { name: 'wrong key', header: sign({ secret: other }) },
  { name: 'altered body', header: sign(), body: body.replace('1099', '9901') },
  { name: 'rewritten body', header: sign(), body: JSON.stringify(JSON.parse(body)) },
  { name: 'stale', header: sign({ timestamp: now - 301 }) },
  { name: 'altered time', header: sign({ timestamp: now - 301 }).replace(`t=${now - 301}`, `t=${now}`) },
  { name: 'future', header: sign({ timestamp: now + 301 }) },
  { name: 'missing' },
  { name: 'empty', header: '' },
  { name: 'no time', header: part(sign(), 'v1') },
  { name: 'no signature', header: `t=${now}` },
].map((delivery) => ({ body, ...delivery }));

const ready = { deliveries: deliveries.map((delivery) => ({ ...delivery, accepted: accepts(delivery) })) };
process.stdout.write(`${JSON.stringify({ ready })}\n`);
process.stdin.resume().on('end', () => process.exit(0));
