// The real `drystone serve` under test, on a free port of this machine.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const READY_MS_MAX = 60_000;

export class Program {
  static serve(program, model, ...flags) {
    return Program.start(program, 'serve', model, '--listen', '127.0.0.1:0', ...flags);
  }

  // A server that prints its address when it is ready.
  static async start(program, ...args) {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const late = setTimeout(() => child.kill('SIGKILL'), READY_MS_MAX);
    for await (const line of createInterface({ input: child.stdout })) {
      const url = /http:\/\/[\d.:]+/.exec(line)?.[0];
      if (url === undefined) continue;
      clearTimeout(late);
      return new Program(child, url);
    }
    throw new Error(`${program} ${args.join(' ')} ended before it was ready`);
  }

  constructor(child, url) {
    this.child = child;
    this.url = url;
  }

  // Ends it as a service manager would. Returns the exit code.
  async stop() {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const [code] = await ended;
    return code;
  }
}
