// The client library that people use, against the real server. What it accepts and throws is what "compatible" means.
//   node openai_test.mjs PROGRAM MODEL SCRIPTED_SERVER
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { Program } from './program.mjs';

const [program, model, scriptedServer] = process.argv.slice(2);
const question = [{ role: 'user', content: 'What is a drystone wall?' }];
const long = { max_tokens: 100_000, ignore_eos: true, temperature: 1 }; // as many as the context holds
const weather = {
  type: 'function',
  function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
};
let server, client, scripted, agent;

before(async () => {
  scripted = await Program.start(scriptedServer);
  agent = new OpenAI({ baseURL: `${scripted.url}/v1`, apiKey: 'any', maxRetries: 0 });
  server = await Program.serve(program, model, '--name', 'e2e', '--name', 'other');
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'any', maxRetries: 0 });
});
after(async () => {
  if (server !== undefined) assert.equal(await server.stop(), 0);
  if (scripted !== undefined) assert.equal(await scripted.stop(), 0);
});

async function collect(stream) {
  const seen = { text: '', chunks: 0, finish: null, usage: null };
  for await (const chunk of stream) {
    seen.chunks += 1;
    seen.text += chunk.choices[0]?.delta?.content ?? chunk.choices[0]?.text ?? '';
    seen.finish ??= chunk.choices[0]?.finish_reason ?? null;
    seen.usage ??= chunk.usage ?? null;
  }
  return seen;
}

test('a chat has an answer and its usage', async () => {
  const answer = await client.chat.completions.create({ model: 'e2e', messages: question, max_tokens: 20 });
  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.model, 'e2e');
  assert.equal(answer.choices[0].message.role, 'assistant');
  assert.ok(answer.choices[0].message.content.length > 0);
  assert.ok(['stop', 'length'].includes(answer.choices[0].finish_reason));
  assert.ok(answer.usage.prompt_tokens > 0 && answer.usage.completion_tokens <= 20);
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test('a stream says the same as the whole answer, with its usage at the end', async () => {
  const request = { model: 'e2e', messages: question, max_tokens: 30, temperature: 0 };
  const whole = await client.chat.completions.create(request);
  const stream = await client.chat.completions.create({
    ...request, stream: true, stream_options: { include_usage: true },
  });
  const seen = await collect(stream);
  assert.equal(seen.text, whole.choices[0].message.content);
  assert.equal(seen.finish, whole.choices[0].finish_reason);
  assert.deepEqual(seen.usage, whole.usage);
  assert.ok(seen.chunks > 3);
});

test('a seed gives the same text again, another seed another', async () => {
  const ask = async (seed) =>
    (await client.chat.completions.create({ model: 'e2e', messages: question, max_tokens: 40, temperature: 1.5,
                                            ignore_eos: true, seed })).choices[0].message.content;
  const first = await ask(7);
  assert.equal(await ask(7), first);
  assert.notEqual(await ask(8), first);
});

test('leaving a stream frees the model for the next request', async () => {
  const stream = await client.chat.completions.create({ model: 'e2e', messages: question, stream: true, ...long });
  for await (const chunk of stream) {
    assert.equal(chunk.object, 'chat.completion.chunk');
    break; // closes the connection
  }
  const next = await client.chat.completions.create({ model: 'e2e', messages: question, max_tokens: 1 });
  assert.equal(next.usage.completion_tokens, 1);
});

test('aborting a whole answer throws where it was asked', async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 20);
  await assert.rejects(
    client.chat.completions.create({ model: 'e2e', messages: question, ...long }, { signal: abort.signal }),
    OpenAI.APIUserAbortError);
});

test('mistakes are the exceptions that clients catch', async () => {
  const ask = (fields) => client.chat.completions.create({ model: 'e2e', messages: question, ...fields });
  await assert.rejects(ask({ temperature: 'hot' }), (error) => error instanceof OpenAI.BadRequestError &&
    error.param === 'temperature' && error.type === 'invalid_request_error' && /'temperature' must be a number/.test(error.message));
  await assert.rejects(ask({ response_format: { type: 'json_object', shema: {} } }),
    (error) => error instanceof OpenAI.BadRequestError && error.param === 'response_format.shema' && error.code === 'unknown_parameter');
  await assert.rejects(ask({ n: 0 }), (error) => error instanceof OpenAI.BadRequestError && error.param === 'n');
  await assert.rejects(ask({ model: 'gpt-4o' }), (error) => error instanceof OpenAI.NotFoundError && error.code === 'model_not_found');
  await assert.rejects(ask({ messages: [{ role: 'user', content: 'word '.repeat(20_000) }] }),
    (error) => error instanceof OpenAI.BadRequestError && error.code === 'context_length_exceeded');
});

test('models are listed under every name', async () => {
  const names = [];
  for await (const entry of client.models.list()) names.push(entry.id);
  assert.deepEqual(names.slice(0, 2), ['e2e', 'other']);
  assert.equal((await client.models.retrieve('other')).id, 'other');
  await assert.rejects(client.models.retrieve('nobody'), OpenAI.NotFoundError);
});

test('a completion continues its prompt, whole and as a stream', async () => {
  const request = { model: 'other', prompt: 'Once upon a time', max_tokens: 12, temperature: 0 };
  const whole = await client.completions.create(request);
  assert.equal(whole.object, 'text_completion');
  assert.equal(whole.choices[0].finish_reason, 'length');
  const echoed = await client.completions.create({ ...request, echo: true });
  assert.equal(echoed.choices[0].text, 'Once upon a time' + whole.choices[0].text);
  const seen = await collect(await client.completions.create({ ...request, stream: true }));
  assert.equal(seen.text, whole.choices[0].text);
});

test('logprobs have both of the API\'s forms and agree with greedy choice', async () => {
  const chat = await client.chat.completions.create({
    model: 'e2e', messages: question, max_tokens: 5, temperature: 0, ignore_eos: true, logprobs: true, top_logprobs: 3,
  });
  const tokens = chat.choices[0].logprobs.content;
  assert.equal(tokens.length, 5);
  for (const token of tokens) {
    assert.ok(token.logprob <= 0);
    assert.equal(token.top_logprobs.length, 3);
    assert.equal(token.top_logprobs[0].logprob, token.logprob); // greedy takes the likeliest
  }
  const text = await client.completions.create({ model: 'e2e', prompt: 'Once upon', max_tokens: 5, temperature: 0, logprobs: 2 });
  const { tokens: pieces, token_logprobs, top_logprobs, text_offset } = text.choices[0].logprobs;
  for (const list of [pieces, token_logprobs, top_logprobs, text_offset]) assert.equal(list.length, 5);
  assert.equal(pieces.join(''), text.choices[0].text);
});

test('an answer ends before a stop string', async () => {
  const request = { model: 'e2e', prompt: 'Once upon a time', max_tokens: 40, temperature: 0 };
  const text = (await client.completions.create(request)).choices[0].text;
  const stop = text.slice(10, 14); // spans tokens as it likes
  const stopped = await client.completions.create({ ...request, stop: [stop] });
  assert.equal(stopped.choices[0].text, text.slice(0, text.indexOf(stop)));
  assert.equal(stopped.choices[0].finish_reason, 'stop');
});

test('two clients at once both get their answers', async () => {
  const ask = async (seed) => collect(await client.chat.completions.create({
    model: 'e2e', messages: question, max_tokens: 60, seed, stream: true, ignore_eos: true,
  }));
  const alone = await ask(1);
  const together = await Promise.all([ask(1), ask(2)]);
  assert.equal(together[0].text, alone.text);
  assert.equal(together[0].finish, 'length');
  assert.equal(together[1].finish, 'length');
});

test('several choices come at once, each its own', async () => {
  const answer = await client.chat.completions.create({
    model: 'e2e', messages: question, max_tokens: 60, n: 3, temperature: 2, ignore_eos: true, seed: 1,
  });
  assert.deepEqual(answer.choices.map((choice) => choice.index), [0, 1, 2]);
  assert.equal(new Set(answer.choices.map((choice) => choice.message.content)).size, 3);
  assert.equal(answer.usage.completion_tokens, 180);
});

test('a call comes as a call, whole and in a stream, and its result goes back', async () => {
  const request = { model: 'scripted', messages: question, tools: [weather] };
  const whole = await agent.chat.completions.create(request);
  const message = whole.choices[0].message;
  assert.equal(whole.choices[0].finish_reason, 'tool_calls');
  assert.equal(message.tool_calls[0].function.name, 'weather');
  assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { city: 'Bern' });
  assert.equal(message.reasoning_content, 'I need the weather.');
  assert.equal(message.content, 'Let me see.');

  const streamed = await agent.chat.completions.stream(request).finalChatCompletion();
  const call = streamed.choices[0].message.tool_calls[0];
  assert.equal(call.function.name, 'weather');
  assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Bern' });

  const next = await agent.chat.completions.create({
    ...request,
    messages: [...question, message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: 'Sun' }],
  });
  assert.equal(next.choices[0].message.role, 'assistant');
});

test('a response is remembered for the next one', async () => {
  const first = await client.responses.create({ model: 'e2e', input: 'What is a wall?', max_output_tokens: 12, temperature: 0 });
  assert.ok(['completed', 'incomplete'].includes(first.status));
  assert.ok(first.output_text.length > 0);
  const second = await client.responses.create({
    model: 'e2e', input: 'And a stone?', previous_response_id: first.id, max_output_tokens: 4,
  });
  assert.ok(second.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens);
  assert.equal((await client.responses.retrieve(first.id)).output_text, first.output_text);
  await assert.rejects(client.responses.create({ model: 'e2e', input: 'x', previous_response_id: 'resp_no' }),
    OpenAI.NotFoundError);
});

test('a streamed response becomes the object that its events describe', async () => {
  const stream = agent.responses.stream({
    model: 'scripted', input: 'Weather?',
    tools: [{ type: 'function', name: 'weather', parameters: weather.function.parameters, strict: false }],
  });
  const types = new Set();
  for await (const event of stream) types.add(event.type);
  const response = await stream.finalResponse();
  assert.equal(response.status, 'completed');
  const message = response.output.find((item) => item.type === 'message');
  assert.equal(message.content[0].text, 'Let me see.');
  const call = response.output.find((item) => item.type === 'function_call');
  assert.deepEqual(JSON.parse(call.arguments), { city: 'Bern' });
  for (const type of ['response.created', 'response.output_text.delta', 'response.function_call_arguments.done'])
    assert.ok(types.has(type), type);
});

test('an answer follows its schema', async () => {
  const schema = {
    type: 'object', additionalProperties: false, required: ['kind', 'old'],
    properties: { kind: { enum: ['wall', 'house'] }, old: { type: 'boolean' } },
  };
  for (const temperature of [0, 1.5]) {
    const answer = await client.chat.completions.create({
      model: 'e2e', messages: question, max_tokens: 100, temperature,
      response_format: { type: 'json_schema', json_schema: { name: 'thing', schema } },
    });
    assert.equal(answer.choices[0].finish_reason, 'stop');
    const thing = JSON.parse(answer.choices[0].message.content);
    assert.ok(['wall', 'house'].includes(thing.kind) && typeof thing.old === 'boolean');
  }
  const response = await client.responses.create({
    model: 'e2e', input: 'A thing?', max_output_tokens: 100,
    text: { format: { type: 'json_schema', name: 'thing', schema } },
  });
  assert.ok(JSON.parse(response.output_text).kind);
});

test('texts have vectors, near each other where the texts are alike', async () => {
  const input = ['a wall of stones', 'a wall of old stones', 'What is 2 + 3?'];
  const answer = await client.embeddings.create({ model: 'e2e', input }); // asks for base64 and decodes it
  assert.equal(answer.data.length, 3);
  assert.ok(answer.usage.prompt_tokens > 3 && answer.usage.total_tokens === answer.usage.prompt_tokens);
  const vectors = answer.data.map((one) => one.embedding);
  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  for (const vector of vectors) assert.ok(Math.abs(dot(vector, vector) - 1) < 1e-5);
  assert.ok(dot(vectors[0], vectors[1]) > dot(vectors[0], vectors[2]));

  const floats = await client.embeddings.create({ model: 'e2e', input: input[0], encoding_format: 'float' });
  assert.deepEqual([...vectors[0]], floats.data[0].embedding.map(Math.fround));
  const short = await client.embeddings.create({ model: 'e2e', input: input[0], dimensions: 8 });
  assert.equal(short.data[0].embedding.length, 8);
  assert.ok(Math.abs(dot(short.data[0].embedding, short.data[0].embedding) - 1) < 1e-5);
  const ids = await client.embeddings.create({ model: 'e2e', input: [[5, 6, 7], [8]] });
  assert.deepEqual(ids.data.map((one) => one.index), [0, 1]);
  assert.equal(ids.usage.prompt_tokens, 4);
});

test('a vector is the same beside answers that are being written', async () => {
  const input = 'Once upon a time there was a wall.';
  const alone = (await client.embeddings.create({ model: 'e2e', input })).data[0].embedding;
  const streams = Array.from({ length: 4 }, (_, seed) =>
    client.chat.completions.create({ model: 'e2e', messages: question, max_tokens: 60, ignore_eos: true, seed }));
  const crowd = await client.embeddings.create({ model: 'e2e', input: Array(40).fill(input) });
  for (const one of crowd.data) assert.deepEqual(one.embedding, alone);
  await Promise.all(streams);
});

test('what cannot be embedded or ranked is refused with the reason', async () => {
  const refused = (promise, words) => assert.rejects(promise, (error) =>
    error instanceof OpenAI.BadRequestError && words.test(error.message));
  await refused(client.embeddings.create({ model: 'e2e', input: 'stone '.repeat(2000) }), /512 tokens/);
  await refused(client.embeddings.create({ model: 'e2e', input: 'x', dimensions: 1e6 }), /dimensions/);
  await refused(client.post('/rerank', { body: { query: 'a', documents: ['b'] } }), /not made for ranking.*pooling_type/);
});
