// The `ai` package, which many agents are built on, with its provider for OpenAI-compatible servers.
//   node ai_test.mjs PROGRAM MODEL SCRIPTED_SERVER
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { Program } from './program.mjs';

const [program, model, scriptedServer] = process.argv.slice(2);
const prompt = 'What is a drystone wall?';
const provider = (url) => createOpenAICompatible({ name: 'drystone', baseURL: `${url}/v1`, includeUsage: true });
let server, small, scripted, agent;

before(async () => {
  server = await Program.serve(program, model, '--name', 'e2e');
  small = provider(server.url)('e2e');
  scripted = await Program.start(scriptedServer);
  agent = provider(scripted.url)('scripted');
});
after(async () => {
  if (server !== undefined) assert.equal(await server.stop(), 0);
  if (scripted !== undefined) assert.equal(await scripted.stop(), 0);
});

test('a text and a stream of it are the same', async () => {
  const request = { model: small, prompt, maxOutputTokens: 20, temperature: 0, maxRetries: 0 };
  const whole = await generateText(request);
  assert.ok(whole.text.length > 0);
  const stream = streamText(request);
  let text = '';
  for await (const delta of stream.textStream) text += delta;
  assert.equal(text, whole.text);
  assert.equal((await stream.usage).outputTokens, whole.usage.outputTokens);
  assert.equal(await stream.finishReason, whole.finishReason);
});

test('reasoning and calls reach the agent, whole and in a stream', async () => {
  const asked = [];
  const tools = {
    weather: tool({
      description: 'The weather of a city.',
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => { asked.push(city); return 'Sun'; },
    }),
  };
  const request = { model: agent, prompt, tools, stopWhen: stepCountIs(2), maxRetries: 0 };
  const whole = await generateText(request);
  assert.deepEqual(asked, ['Bern', 'Bern']); // both steps call; the second one saw a result
  assert.equal(whole.reasoningText, 'I need the weather.');
  assert.equal(whole.finishReason, 'tool-calls');
  const stream = streamText(request);
  const seen = new Set();
  for await (const part of stream.fullStream) seen.add(part.type);
  for (const type of ['reasoning-delta', 'text-delta', 'tool-input-delta', 'tool-call', 'tool-result'])
    assert.ok(seen.has(type), type);
  assert.equal(asked.length, 4);
});
