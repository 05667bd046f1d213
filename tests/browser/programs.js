// The programs under test, as they are built, each on a free port.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const target = (path) => fileURLToPath(new URL(`../../target/${path}`, import.meta.url));

const KEYS = {
  SESSION_AUTHENTICATION_KEY: "the browser tests' authentication key",
  SESSION_ENCRYPTION_KEY: "the browser tests' encryption key",
};

/** The server itself, as it is released. */
export const waxseal = (env = {}) =>
  start(target("release/waxseal"), { HOST: "127.0.0.1", ...env }, "stderr", /msg=listening .*?port=(\d+)/);

/** The example that sets flashes. */
export const basket = () =>
  start(target("debug/examples/basket"), {}, "stdout", /^http:\/\/127\.0\.0\.1:(\d+)$/);

/** Starts a program, and waits for the line that tells its port. */
function start(program, env, stream, line) {
  const child = spawn(program, { env: { PORT: "0", ...KEYS, ...env } });
  const lines = createInterface({ input: child[stream] });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`${program} ended with ${code}`)));
    lines.on("line", (text) => {
      const port = text.match(line)?.[1];
      if (port) resolve({ origin: `http://localhost:${port}`, stop: () => child.kill() });
    });
  });
}
