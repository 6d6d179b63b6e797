// What coding agents send (agents/*.json), turn by turn, with the libraries that speak their APIs: against a model with
// random weights and room for long prompts, and against scripted models that think and call tools.
//   node agents_test.mjs PROGRAM MODEL SCRIPTED_SERVER
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { Program } from './program.mjs';

const [program, , scriptedServer] = process.argv.slice(2);
const shapesOf = (agent) => JSON.parse(readFileSync(new URL(`agents/${agent}.json`, import.meta.url)));
const claude = shapesOf('claude_code'), codex = shapesOf('codex'), hermes = shapesOf('hermes');
const CONTEXT = 16384;

const call = (name, args) => `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`;
const thought = '<think>\nFirst the test, then the file.\n</think>\n\nI run the test.\n';
const scripts = {
  claude: thought + call('Bash', { command: 'ctest -R gate' }) + '\n' + call('Read', { file_path: '/home/mason/wall/gate.txt' }),
  codex: thought + call('shell', { command: ['ctest', '-R', 'gate'] }),
  hermes: thought + call('terminal', { command: 'ctest -R gate' }) + '\n' + call('todo', {}),
};
let folder, server, scripted = {};

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'drystone-agents-'));
  const model = join(folder, 'agents.gguf');
  const made = spawnSync(program, ['synth', '--preset', 'tiny-qwen3', '--type', 'q8_0', '--context', `${CONTEXT}`, '--seed', '1', model]);
  assert.equal(made.status, 0, `${made.stderr}`);
  const names = ['claude-sonnet-4-5', 'claude-haiku-4-5', 'gpt-5-codex', 'hermes'].flatMap((name) => ['--name', name]);
  // One thread: the model is so small that a busy machine would make two wait for each other.
  server = await Program.serve(program, model, '--context', `${CONTEXT}`, '--threads', '1', ...names);
  for (const agent of Object.keys(scripts)) scripted[agent] = await Program.start(scriptedServer, scripts[agent]);
});
after(async () => {
  if (server !== undefined) assert.equal(await server.stop(), 0);
  for (const one of Object.values(scripted)) assert.equal(await one.stop(), 0);
  rmSync(folder, { recursive: true, force: true });
});

const anthropic = (where, shapes) => new Anthropic({ baseURL: where.url, apiKey: 'any', maxRetries: 0, defaultHeaders: shapes.headers });
const openai = (where, shapes) => new OpenAI({ baseURL: `${where.url}/v1`, apiKey: 'any', maxRetries: 0, defaultHeaders: shapes.headers });

// Whether `value` is what `schema` asks for, as far as the agents' schemas go.
function assertFits(value, schema, path = 'arguments') {
  const kind = Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;
  assert.ok(kind === schema.type || (kind === 'integer' && schema.type === 'number'), `${path} is of type ${kind}: ${JSON.stringify(value)}`);
  if (schema.enum !== undefined) assert.ok(schema.enum.includes(value), `${path} is ${value}`);
  if (schema.maxLength !== undefined) assert.ok([...value].length <= schema.maxLength, `${path} is too long`);
  if (schema.maxItems !== undefined) assert.ok(value.length <= schema.maxItems, `${path} has too many items`);
  if (kind === 'array') value.forEach((item, i) => assertFits(item, schema.items, `${path}[${i}]`));
  if (kind !== 'object') return;
  for (const name of schema.required ?? []) assert.ok(name in value, `${path}.${name} is missing`);
  for (const name of Object.keys(value)) {
    if (schema.properties?.[name] !== undefined) assertFits(value[name], schema.properties[name], `${path}.${name}`);
    else assert.notEqual(schema.additionalProperties, false, `${path}.${name} is not in the schema`);
  }
}

// ---- Claude Code

const withBilling = (body, line) => ({
  ...body, system: [{ type: 'text', text: claude.billing + line + ';' }, ...body.system.slice(1)],
});

// The message of a stream, whose events have to come in the order that is documented.
async function readMessage(stream) {
  let message, open = null, over = false;
  for await (const event of stream) {
    assert.ok(!over, `${event.type} behind message_stop`);
    if (event.type === 'message_start') {
      assert.equal(message, undefined);
      message = { ...event.message, content: [] };
    } else if (event.type === 'content_block_start') {
      assert.equal(open, null);
      assert.equal(event.index, message.content.length);
      open = { ...event.content_block, json: '' };
    } else if (event.type === 'content_block_delta') {
      assert.equal(event.index, message.content.length);
      if (event.delta.type === 'text_delta') open.text += event.delta.text;
      if (event.delta.type === 'thinking_delta') open.thinking += event.delta.thinking;
      if (event.delta.type === 'signature_delta') open.signature += event.delta.signature;
      if (event.delta.type === 'input_json_delta') open.json += event.delta.partial_json;
    } else if (event.type === 'content_block_stop') {
      const { json, ...block } = open;
      if (block.type === 'tool_use') block.json = json;
      message.content.push(block);
      open = null;
    } else if (event.type === 'message_delta') {
      assert.equal(open, null);
      Object.assign(message, event.delta, { usage: event.usage });
    } else if (event.type === 'message_stop') {
      over = true;
    } else {
      assert.equal(event.type, 'ping');
    }
  }
  assert.ok(over);
  for (const block of message.content) {
    if (block.type !== 'tool_use') continue;
    if (message.stop_reason !== 'max_tokens') block.input = JSON.parse(block.json); // else it may be cut
    delete block.json;
  }
  return message;
}
const promptOf = ({ usage }) => usage.input_tokens + usage.cache_read_input_tokens;

test('claude code: the probe of its quota is one token', async () => {
  const answer = await anthropic(server, claude).beta.messages.create(claude.quota);
  assert.equal(answer.stop_reason, 'max_tokens');
  assert.equal(answer.usage.output_tokens, 1);
});

test('claude code: the title of a session follows its schema', async () => {
  const message = await readMessage(await anthropic(server, claude).beta.messages.create(claude.title));
  assert.equal(message.stop_reason, 'end_turn');
  assertFits(JSON.parse(message.content[0].text), claude.title.output_config.format.schema);
});

test('claude code: the second turn finds the first in the cache, although the billing line changed', async () => {
  const client = anthropic(server, claude);
  const turn = { ...claude.turn, max_tokens: 24 };
  const { tools, system, messages, model } = withBilling(turn, '0001f');
  const count = await client.beta.messages.countTokens({ tools, system, messages, model });
  const first = await readMessage(await client.beta.messages.create(withBilling(turn, '0001f')));
  assert.equal(promptOf(first), count.input_tokens);
  assert.ok(promptOf(first) > 1000);
  const second = await readMessage(await client.beta.messages.create(withBilling({
    ...turn, messages: [...messages, { role: 'assistant', content: first.content }, { role: 'user', content: 'Go on.' }],
  }, 'ffa02')));
  assert.ok(second.usage.cache_read_input_tokens > 0.9 * promptOf(first), JSON.stringify(second.usage));
  const third = await readMessage(await client.beta.messages.create(withBilling(turn, '99999')));
  assert.ok(third.usage.cache_read_input_tokens > 0.9 * promptOf(first));
});

test('claude code: calls in parallel, and their results with an error among them', async () => {
  const client = anthropic(scripted.claude, claude);
  const turn = { ...withBilling(claude.turn, 'abcde'), model: 'scripted', max_tokens: 900 };
  const message = await readMessage(await client.beta.messages.create(turn));
  assert.equal(message.stop_reason, 'tool_use');
  assert.deepEqual(message.content.map((block) => block.type), ['thinking', 'text', 'tool_use', 'tool_use']);
  const calls = message.content.slice(2);
  assert.deepEqual(calls.map(({ name }) => name), ['Bash', 'Read']);
  assert.notEqual(calls[0].id, calls[1].id);
  for (const { name, input } of calls) assertFits(input, claude.turn.tools.find((tool) => tool.name === name).input_schema);
  assert.ok(message.usage.output_tokens_details.thinking_tokens > 0);
  const results = claude.results.map((result, i) => ({ ...result, tool_use_id: calls[i].id }));
  const next = await readMessage(await client.beta.messages.create({
    ...turn,
    messages: [...turn.messages, { role: 'assistant', content: message.content }, { role: 'user', content: [...results, claude.reminder] }],
  }));
  assert.equal(next.role, 'assistant');
});

test('claude code: a real model calls what it must, with arguments that fit', async () => {
  const client = anthropic(server, claude);
  const choices = [{ type: 'any' }, { type: 'any', disable_parallel_tool_use: true }, { type: 'tool', name: 'TodoWrite' }];
  for (const tool_choice of choices) {
    const message = await readMessage(await client.beta.messages.create({
      ...withBilling(claude.turn, '7'), tool_choice, max_tokens: 3000, temperature: 0.5,
    }));
    const calls = message.content.filter((block) => block.type === 'tool_use');
    assert.ok(calls.length > 0, JSON.stringify(message));
    // Random weights end a text of any length late or never; what the other tools take is bounded.
    if (message.stop_reason === 'max_tokens' && tool_choice.name === undefined) continue;
    assert.equal(message.stop_reason, 'tool_use');
    for (const { name, input } of calls) assertFits(input, claude.turn.tools.find((tool) => tool.name === name).input_schema);
    if (tool_choice.name !== undefined) assert.ok(calls.every(({ name }) => name === tool_choice.name));
    if (tool_choice.disable_parallel_tool_use) assert.equal(calls.length, 1);
  }
});

test('claude code: what a model without eyes or a network cannot do is refused', async () => {
  const client = anthropic(server, claude);
  const turn = withBilling(claude.turn, '8');
  const refused = (body) => assert.rejects(client.beta.messages.create(body), (error) =>
    error instanceof Anthropic.BadRequestError && error.error.error.type === 'invalid_request_error');
  await refused({ ...turn, messages: [claude.image] });
  await refused({ ...turn, tools: [claude.search] });
  await refused({ ...turn, messages: [{ role: 'user', content: 'word '.repeat(CONTEXT) }] });
});

// ---- Codex

// The events of a response in order, with the ids that join them.
async function readResponse(stream) {
  const seen = { types: [], items: [], text: '', reasoning: '', response: null };
  let number = 0, open = null;
  for await (const event of stream) {
    assert.equal(event.sequence_number, number++);
    assert.equal(seen.response, null, `${event.type} behind the end`);
    seen.types.push(event.type);
    if (event.type === 'response.output_item.added') {
      assert.equal(open, null);
      assert.equal(event.output_index, seen.items.length);
      open = { id: event.item.id, arguments: '' };
    } else if (event.item_id !== undefined) {
      assert.equal(event.item_id, open.id);
      if (event.type === 'response.output_text.delta') seen.text += event.delta;
      if (event.type === 'response.reasoning_text.delta') seen.reasoning += event.delta;
      if (event.type === 'response.function_call_arguments.delta') open.arguments += event.delta;
    } else if (event.type === 'response.output_item.done') {
      assert.equal(event.item.id, open.id);
      if (event.item.type === 'function_call') assert.equal(event.item.arguments, open.arguments);
      seen.items.push(event.item);
      open = null;
    } else if (['response.completed', 'response.incomplete', 'response.failed'].includes(event.type)) {
      assert.equal(open, null);
      seen.response = event.response;
    }
  }
  assert.deepEqual(seen.types.slice(0, 2), ['response.created', 'response.in_progress']);
  assert.deepEqual(seen.response.output, seen.items);
  return seen;
}

// As Codex keeps a turn: without ids, and without reasoning that came in the open.
const kept = (items) => items.map(({ id, status, content, ...item }) =>
  item.type === 'message' ? { ...item, content: content.map(({ type, text }) => ({ type, text })) } : item);

test('codex: looks for models of its own list', async () => {
  const list = await openai(server, codex).get('/models', { query: codex.models_query });
  assert.deepEqual(list.models, []);
  assert.ok(list.data.some(({ id }) => id === 'gpt-5-codex'));
});

test('codex: a turn, its calls and the next turn', async () => {
  const client = openai(scripted.codex, codex);
  const turn = { ...codex.turn, model: 'scripted' };
  const { data, response } = await client.responses.create(turn).withResponse();
  assert.equal(response.headers.get('drystone-ignored-parameters'), 'tools.custom, tools.local_shell, tools.web_search');
  const seen = await readResponse(data);
  assert.equal(seen.response.status, 'completed');
  assert.deepEqual(seen.items.map(({ type }) => type), ['reasoning', 'message', 'function_call']);
  assert.ok(seen.response.usage.output_tokens_details.reasoning_tokens > 0);
  const [reasoning, , shell] = seen.items;
  assert.ok(reasoning.encrypted_content.length > 0);
  assertFits(JSON.parse(shell.arguments), codex.turn.tools[0].parameters);
  const next = await readResponse(await client.responses.create({
    ...turn,
    input: [...turn.input, ...codex.foreign, ...kept(seen.items),
            { type: 'function_call_output', call_id: shell.call_id, output: codex.output }],
  }));
  assert.equal(next.response.status, 'completed');
});

test('codex: the second turn finds the first in the cache', async () => {
  const client = openai(server, codex);
  const turn = { ...codex.turn, max_output_tokens: 24 };
  const first = await readResponse(await client.responses.create(turn));
  assert.ok(first.response.usage.input_tokens > 500);
  const second = await readResponse(await client.responses.create({
    ...turn, input: [...turn.input, ...kept(first.items), { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Go on.' }] }],
  }));
  assert.ok(second.response.usage.input_tokens_details.cached_tokens > 0.85 * first.response.usage.input_tokens);
});

test('codex: a real model calls what it must, with arguments that fit', async () => {
  const client = openai(server, codex);
  for (const tool_choice of ['required', { type: 'function', name: 'update_plan' }]) {
    const seen = await readResponse(await client.responses.create({ ...codex.turn, tool_choice, max_output_tokens: 3000 }));
    const calls = seen.items.filter(({ type }) => type === 'function_call');
    if (seen.response.status === 'incomplete' && tool_choice === 'required') continue; // as above
    assert.equal(seen.response.status, 'completed');
    assert.equal(calls.length, 1);
    assertFits(JSON.parse(calls[0].arguments), codex.turn.tools.find(({ name }) => name === calls[0].name).parameters);
    if (tool_choice !== 'required') assert.equal(calls[0].name, 'update_plan');
  }
});

test('codex: a response that is not kept here is told by its code', async () => {
  await assert.rejects(openai(server, codex).responses.create({ ...codex.turn, previous_response_id: 'resp_gone' }),
    (error) => error instanceof OpenAI.NotFoundError && error.code === 'previous_response_not_found');
});

// ---- Hermes

async function readChat(stream) {
  const message = { role: 'assistant', content: '', reasoning: '', tool_calls: [] };
  let finish = null, usage = null;
  for await (const chunk of stream) {
    assert.equal(usage, null, 'nothing comes behind the usage');
    usage = chunk.usage ?? null;
    const choice = chunk.choices[0];
    if (choice === undefined) continue;
    assert.equal(finish, null, 'nothing of the answer comes behind its end');
    message.content += choice.delta.content ?? '';
    message.reasoning += choice.delta.reasoning_content ?? '';
    for (const part of choice.delta.tool_calls ?? []) {
      if (part.id !== undefined) {
        assert.equal(part.index, message.tool_calls.length);
        message.tool_calls.push({ id: part.id, type: 'function', function: { name: part.function.name, arguments: '' } });
      }
      message.tool_calls[part.index].function.arguments += part.function.arguments;
    }
    finish = choice.finish_reason;
  }
  return { message, finish, usage };
}
const parametersOf = (name) => hermes.turn.tools.find((tool) => tool.function.name === name).function.parameters;

test('hermes: learns the length of the context', async () => {
  const [entry] = (await openai(server, hermes).models.list()).data;
  assert.equal(entry.context_length, CONTEXT);
  assert.equal(entry.meta.n_ctx, CONTEXT);
  await assert.rejects(
    openai(server, hermes).chat.completions.create({ ...hermes.turn, messages: [{ role: 'user', content: 'word '.repeat(CONTEXT) }] }),
    (error) => error.status === 400 && new RegExp(`maximum context length is ${CONTEXT}`).test(error.message));
});

test('hermes: a turn with calls, their results and its own reasoning handed back', async () => {
  const client = openai(scripted.hermes, hermes);
  const turn = { ...hermes.turn, model: 'scripted' };
  const { message, finish, usage } = await readChat(await client.chat.completions.create(turn));
  assert.equal(finish, 'tool_calls');
  assert.equal(message.content, 'I run the test.');
  assert.equal(message.reasoning, 'First the test, then the file.');
  assert.deepEqual(message.tool_calls.map((one) => one.function.name), ['terminal', 'todo']);
  for (const one of message.tool_calls) assertFits(JSON.parse(one.function.arguments), parametersOf(one.function.name));
  assert.ok(usage.completion_tokens_details.reasoning_tokens > 0);
  assert.ok(usage.completion_tokens_details.reasoning_tokens < usage.completion_tokens);
  const { reasoning, ...rest } = message;
  const next = await readChat(await client.chat.completions.create({
    ...turn,
    messages: [...turn.messages, { ...rest, reasoning, reasoning_content: reasoning, finish_reason: finish },
               ...message.tool_calls.map((one) => ({ role: 'tool', name: one.function.name, tool_call_id: one.id, content: hermes.result }))],
  }));
  assert.equal(next.finish, 'tool_calls');
});

test('hermes: the second turn finds the first in the cache', async () => {
  const client = openai(server, hermes);
  const turn = { ...hermes.turn, max_tokens: 24 };
  const first = await readChat(await client.chat.completions.create(turn));
  const second = await readChat(await client.chat.completions.create({
    ...turn, messages: [...turn.messages, { role: 'assistant', content: first.message.content }, { role: 'user', content: 'Go on.' }],
  }));
  assert.ok(second.usage.prompt_tokens_details.cached_tokens > 0.85 * first.usage.prompt_tokens);
});

test('hermes: a real model calls what it must, with arguments that fit', async () => {
  const client = openai(server, hermes);
  for (const tool_choice of ['required', { type: 'function', function: { name: 'memory' } }]) {
    const { message, finish } = await readChat(await client.chat.completions.create({
      ...hermes.turn, tool_choice, parallel_tool_calls: false, max_tokens: 3000, temperature: 0.5,
    }));
    if (finish === 'length' && tool_choice === 'required') continue; // as above
    assert.equal(finish, 'tool_calls');
    assert.equal(message.tool_calls.length, 1);
    const [{ function: { name, arguments: text } }] = message.tool_calls;
    assertFits(JSON.parse(text), parametersOf(name));
    if (tool_choice !== 'required') assert.equal(name, 'memory');
  }
});

test('hermes: a forced call that the limit cuts is no text', async () => {
  const client = openai(server, hermes);
  for (const max_tokens of [1, 3, 6, 12, 25, 50]) {
    const { message, finish } = await readChat(await client.chat.completions.create({
      ...hermes.turn, tool_choice: { type: 'function', function: { name: 'memory' } }, parallel_tool_calls: false,
      reasoning: { enabled: false }, max_tokens, temperature: 0.5,
    }));
    assert.equal(message.content, '');
    if (finish !== 'length') continue;
    for (const one of message.tool_calls) assert.ok(one.function.name === 'memory' && /^(\{|$)/.test(one.function.arguments));
  }
});

test('hermes: a small request without thinking beside the conversation', async () => {
  const answer = await openai(server, hermes).chat.completions.create(hermes.summary);
  assert.ok(answer.usage.completion_tokens <= 24);
  assert.equal(answer.usage.completion_tokens_details.reasoning_tokens, 0);
});
