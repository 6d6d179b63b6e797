// Anthropic's client library against the real server.
//   node anthropic_test.mjs PROGRAM MODEL SCRIPTED_SERVER
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { Program } from './program.mjs';

const [program, model, scriptedServer] = process.argv.slice(2);
const messages = [{ role: 'user', content: 'What is a drystone wall?' }];
const tools = [{
  name: 'weather', description: 'The weather of a city.',
  input_schema: { type: 'object', properties: { city: { type: 'string' } } },
}];
const thinking = { type: 'enabled', budget_tokens: 1024 };
let server, client, scripted, agent;

before(async () => {
  server = await Program.serve(program, model, '--name', 'e2e');
  client = new Anthropic({ baseURL: server.url, apiKey: 'any', maxRetries: 0 });
  scripted = await Program.start(scriptedServer);
  agent = new Anthropic({ baseURL: scripted.url, apiKey: 'any', maxRetries: 0 });
});
after(async () => {
  if (server !== undefined) assert.equal(await server.stop(), 0);
  if (scripted !== undefined) assert.equal(await scripted.stop(), 0);
});

test('a message has an answer and its usage', async () => {
  const answer = await client.messages.create({ model: 'e2e', max_tokens: 20, messages, system: 'Be brief.' });
  assert.equal(answer.type, 'message');
  assert.equal(answer.content[0].type, 'text');
  assert.ok(answer.content[0].text.length > 0);
  assert.ok(['end_turn', 'max_tokens'].includes(answer.stop_reason));
  assert.ok(answer.usage.input_tokens + answer.usage.cache_read_input_tokens > 0);
  assert.ok(answer.usage.output_tokens <= 20);
});

test('a stream says the same as the whole answer', async () => {
  const request = { model: 'e2e', max_tokens: 25, messages, top_k: 1 };
  const whole = await client.messages.create(request);
  let text = '';
  const stream = client.messages.stream(request).on('text', (delta) => { text += delta; });
  const final = await stream.finalMessage();
  assert.equal(text, whole.content[0].text);
  assert.equal(final.content[0].text, text);
  assert.equal(final.stop_reason, whole.stop_reason);
  assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
});

test('tokens are counted as they are used', async () => {
  const count = await client.messages.countTokens({ model: 'e2e', messages });
  const answer = await client.messages.create({ model: 'e2e', max_tokens: 1, messages });
  assert.equal(count.input_tokens, answer.usage.input_tokens + answer.usage.cache_read_input_tokens);
});

test('an agent thinks, calls, and gets its result', async () => {
  const request = { model: 'scripted', max_tokens: 900, messages, tools, thinking };
  const whole = await agent.messages.create(request);
  const streamed = await agent.messages.stream(request).finalMessage();
  for (const answer of [whole, streamed]) {
    assert.equal(answer.stop_reason, 'tool_use');
    assert.deepEqual(answer.content.map((block) => block.type), ['thinking', 'text', 'tool_use']);
    assert.equal(answer.content[0].thinking, 'I need the weather.');
    assert.equal(answer.content[1].text, 'Let me see.');
    assert.equal(answer.content[2].name, 'weather');
    assert.deepEqual(answer.content[2].input, { city: 'Bern' });
  }
  const next = await agent.messages.create({
    ...request,
    messages: [...messages, { role: 'assistant', content: whole.content },
               { role: 'user', content: [{ type: 'tool_result', tool_use_id: whole.content[2].id, content: 'Sun' }] }],
  });
  assert.equal(next.role, 'assistant');
});

test('mistakes are the exceptions that clients catch', async () => {
  await assert.rejects(client.messages.create({ model: 'other', max_tokens: 5, messages }), Anthropic.NotFoundError);
  await assert.rejects(client.messages.create({ model: 'e2e', max_tokens: 5, messages: [] }), Anthropic.BadRequestError);
  await assert.rejects(client.messages.create({ model: 'e2e', max_tokens: 5, messages, output_config: { efort: 'low' } }),
    (error) => error instanceof Anthropic.BadRequestError && /output_config\.efort/.test(error.message));
});

test('a key goes in x-api-key', async () => {
  const locked = await Program.serve(program, model, '--api-key', 'secret');
  const ask = (apiKey) => new Anthropic({ baseURL: locked.url, apiKey, maxRetries: 0 })
    .messages.create({ model: '', max_tokens: 1, messages });
  assert.equal((await ask('secret')).type, 'message');
  await assert.rejects(ask('wrong'), Anthropic.AuthenticationError);
  assert.equal(await locked.stop(), 0);
});
