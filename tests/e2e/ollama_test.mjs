// Ollama's client library against the real server.
//   node ollama_test.mjs PROGRAM MODEL SCRIPTED_SERVER
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ollama } from 'ollama';
import { Program } from './program.mjs';

const [program, model, scriptedServer] = process.argv.slice(2);
const messages = [{ role: 'user', content: 'What is a drystone wall?' }];
const tools = [{
  type: 'function',
  function: { name: 'weather', description: '', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
}];
let server, client, scripted, agent;

before(async () => {
  server = await Program.serve(program, model, '--name', 'e2e');
  client = new Ollama({ host: server.url });
  scripted = await Program.start(scriptedServer);
  agent = new Ollama({ host: scripted.url });
});
after(async () => {
  if (server !== undefined) assert.equal(await server.stop(), 0);
  if (scripted !== undefined) assert.equal(await scripted.stop(), 0);
});

test('a chat, whole and as a stream, is the same', async () => {
  const request = { model: 'e2e', messages, options: { num_predict: 25, temperature: 0 }, keep_alive: '5m' };
  const whole = await client.chat(request);
  assert.ok(whole.message.content.length > 0);
  assert.equal(whole.done, true);
  assert.ok(whole.eval_count > 0 && whole.eval_duration > 0 && whole.total_duration >= whole.eval_duration);
  let text = '', last;
  for await (const part of await client.chat({ ...request, stream: true })) {
    text += part.message.content;
    last = part;
  }
  assert.equal(text, whole.message.content);
  assert.equal(last.done_reason, whole.done_reason);
  assert.equal(last.eval_count, whole.eval_count);
});

test('a prompt is continued', async () => {
  const answer = await client.generate({ model: 'e2e', prompt: 'Once upon a time', raw: true, options: { num_predict: 8 } });
  assert.ok(answer.response.length > 0);
  assert.equal((await client.generate({ model: 'e2e', prompt: '' })).done_reason, 'load');
});

test('thinking and calls have their own fields', async () => {
  const request = { model: 'scripted', messages, tools, think: true };
  const whole = await agent.chat(request);
  assert.equal(whole.message.thinking, 'I need the weather.');
  assert.equal(whole.message.content, 'Let me see.');
  assert.deepEqual(whole.message.tool_calls[0].function, { name: 'weather', arguments: { city: 'Bern' } });
  const calls = [];
  for await (const part of await agent.chat({ ...request, stream: true })) calls.push(...(part.message.tool_calls ?? []));
  assert.deepEqual(calls.map((call) => call.function), [{ name: 'weather', arguments: { city: 'Bern' } }]);
});

test('an answer follows its schema', async () => {
  const format = { type: 'object', additionalProperties: false, required: ['old'], properties: { old: { type: 'boolean' } } };
  const answer = await client.chat({ model: 'e2e', messages, format, options: { num_predict: 100 } });
  assert.equal(typeof JSON.parse(answer.message.content).old, 'boolean');
});

test('models are listed and shown', async () => {
  const { models } = await client.list();
  assert.equal(models[0].name, 'e2e');
  assert.ok((await client.show({ model: 'e2e' })).capabilities.includes('completion'));
  assert.equal((await client.ps()).models.length, 1);
});

test('texts have vectors', async () => {
  const { model, embeddings, prompt_eval_count } = await client.embed({ model: 'e2e', input: ['a wall', 'a house'] });
  assert.equal(model, 'e2e');
  assert.equal(embeddings.length, 2);
  assert.ok(prompt_eval_count > 2);
  for (const vector of embeddings) assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5);
  assert.deepEqual((await client.embed({ model: 'e2e', input: 'a house' })).embeddings, [embeddings[1]]);
  const older = (await client.embeddings({ model: 'e2e', prompt: 'a house' })).embedding;
  const length = Math.hypot(...older);
  older.forEach((value, i) => assert.ok(Math.abs(value / length - embeddings[1][i]) < 1e-5));

  const long = 'stone '.repeat(2000);
  assert.equal((await client.embed({ model: 'e2e', input: long })).prompt_eval_count, 512); // cut to the context
  await assert.rejects(client.embed({ model: 'e2e', input: long, truncate: false }), /context/);
  assert.ok((await client.show({ model: 'e2e' })).capabilities.includes('embedding'));
});

test('mistakes are errors with words', async () => {
  await assert.rejects(client.chat({ model: 'other', messages }), /does not exist/);
  await assert.rejects(client.embed({ model: 'other', input: 'x' }), /does not exist/);
  await assert.rejects(client.chat({ model: 'e2e', messages, keep_alive: 'soon' }), /keep_alive/);
  await assert.rejects(client.chat({ model: 'e2e', messages, options: { num_predict: 0 } }), /num_predict/);
});

test('aborting a stream frees the model', async () => {
  // A short answer may be here whole before it is aborted: then the next one is tried.
  const story = [{ role: 'user', content: 'Tell me a story about a fox.' }];
  let aborted = false;
  for (let attempt = 0; attempt < 100 && !aborted; ++attempt) {
    const stream = await client.chat({ model: 'e2e', messages: story, stream: true, options: { num_predict: -1 } });
    try {
      for await (const part of stream) if (!part.done) stream.abort();
    } catch (error) {
      assert.equal(error.name, 'AbortError');
      aborted = true;
    }
  }
  assert.ok(aborted);
  assert.equal((await client.chat({ model: 'e2e', messages, options: { num_predict: 1 } })).eval_count, 1);
});
