// The programs under test, as they are built, each on a free port.

import { execFileSync, spawn } from "node:child_process";
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

/** Puts a user into a file, or gives one another password; the hash is a cheap one. */
export const addUser = (file, name, password) =>
  command(["add-user", "--memory", "8", "--iterations", "1", file, name], password);

/** An entry of a list of users. */
export const entry = (name, password) =>
  `${name}:${command(["hash-password", "--memory", "8", "--iterations", "1"], password)}`;

/** What one of the server's commands says to this input. */
const command = (args, input) =>
  execFileSync(target("release/waxseal"), args, { input, encoding: "utf8", timeout: 10_000 }).trim();

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
      if (!port) return;
      const origin = `http://localhost:${port}`;
      resolve({ origin, stop: () => child.kill(), says: (what) => says(lines, what) });
    });
  });
}

/** Waits for a line with these words. */
function says(lines, what) {
  return new Promise((resolve) => {
    lines.on("line", function hear(text) {
      if (!text.includes(what)) return;
      lines.off("line", hear);
      resolve(text);
    });
  });
}
